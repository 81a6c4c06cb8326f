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

// A queue of indices in which each stands at most once (index_set.py). One that is offered is accepted a cycle later, and
// meanwhile none moves to the output.
class IndexSet {
  public:
    void configure(int64_t size) { members_.assign(static_cast<size_t>(size), false); }
    void offer(Cycle now) { offered_ = now; }
    void accept(int index, Cycle now) {
        offered_ = now;
        if (members_[static_cast<size_t>(index)]) return;
        members_[static_cast<size_t>(index)] = true;
        order_.push(now + kThrough) = index;
    }
    bool ready(Cycle now) const { return has_output_ && shown_ <= now; }
    Cycle next() const { return has_output_ ? shown_ : order_.next(); }
    int take(Cycle now) {
        has_output_ = false, taken_ = now;
        return output_;
    }
    // When all else of a cycle is done.
    void end(Cycle now) {
        if (has_output_ || taken_ == now || offered_ == now || !order_.ready(now)) return;
        has_output_ = true, output_ = order_.front(), shown_ = now + 1;
        members_[static_cast<size_t>(output_)] = false;
        order_.pop();
    }

  private:
    static constexpr Cycle kThrough = 2;
    std::vector<bool> members_;
    DelayQueue<int> order_;
    bool has_output_ = false;
    int output_ = 0;
    Cycle offered_ = -1, taken_ = -1, shown_ = 0;
};
