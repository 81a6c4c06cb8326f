// What the RX blocks tell each other, and how long it takes.
#pragma once
#include <vector>

#include "delay_queue.hpp"
#include "registers.hpp"

enum class CommandKind { kPacket, kDrop, kCheck, kRead, kTailWrite };
constexpr int kStageDepth = 16;                        // commands between pipe manager, notifier and DMA writer
constexpr Cycle kPipeManagerCycles = 4, kNotifierCycles = 4, kWriterCycles = 3;
constexpr Cycle kStagesCycles = kPipeManagerCycles + kNotifierCycles + kWriterCycles;

struct Command {
    CommandKind kind;
    bool notify, header;
    int flits, pipe, buffer, index, length, kept;
    uint32_t offset, mask, tail, drops, hash;
    uint64_t base, slot, data, arrival;
    PipeWord word;
    uint8_t tag;
};

struct Operation {
    enum Kind { kHeadCheck, kTailWrite, kRegisterRead, kRetry } kind;
    int index;
    PipeWord word;
    uint8_t tag;
    uint64_t data;
};

// A queue of indices in which each stands at most once (index_set.py).
class IndexSet {
  public:
    void configure(int64_t size) { members_.assign(static_cast<size_t>(size), false); }
    // Accepted at `now`; whether the index is new.
    bool add(int index, Cycle now) {
        if (members_[static_cast<size_t>(index)]) return false;
        members_[static_cast<size_t>(index)] = true;
        order_.push(now + kThrough) = index;
        return true;
    }
    bool ready(Cycle now) const { return order_.ready(now); }
    Cycle next() const { return order_.next(); }
    int take() {
        const int index = order_.front();
        order_.pop();
        members_[static_cast<size_t>(index)] = false;
        return index;
    }

  private:
    static constexpr Cycle kThrough = 3;
    std::vector<bool> members_;
    DelayQueue<int> order_;
};
