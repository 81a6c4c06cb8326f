// The RX path: from the wire to the host's beats (receive.py).
#pragma once
#include "dma_writer.hpp"
#include "notifier.hpp"
#include "pipes.hpp"

class Receive {
  public:
    Door door;
    OperationQueue operations;
    PipeManager manager;
    Notifier notifier;
    OwedNotifications owed;
    DmaWriter writer;

    void configure(const NicParameters &parameters) {
        door.configure(parameters), operations.configure(parameters), manager.configure(parameters);
        notifier.configure(parameters), owed.configure(parameters);
    }
    // From the host's end to the wire's, so that each block sees what the next one was when the cycle began.
    void step(Cycle now, bool beat_taken, int64_t max_payload, ExtensionPage &page) {
        const bool manager_has_room = manager.commands().size() < kStageDepth;
        const bool notifier_has_room = notifier.writes().size() < kStageDepth && owed.has_room(now);
        writer.step(now, beat_taken, notifier.writes(), door.flits, max_payload);
        if (notifier_has_room) notifier.step(now, manager.commands(), owed, page);
        if (manager_has_room) manager.step(now, door, operations, page);
        owed.step(now, operations);
    }
    void end(Cycle now) { operations.end(now), owed.end(now); }
    // The next cycle in which anything may happen without an input.
    Cycle next(Cycle now) {
        if (writer.is_active()) return now + 1;
        const Cycle next = std::min({notifier.writes().next(), manager.commands().next(), operations.next(), door.next()});
        return std::max(now + 1, std::min(next, owed.next(now)));
    }
};
