// Where each packet goes in its ring, and when software must be told: operation_queue.py, pipe_manager.py.
#pragma once
#include "commands.hpp"
#include "door.hpp"

// Operations on their way to the pipe manager; head checks that find no room are merged.
class OperationQueue {
  public:
    void configure(const NicParameters &parameters) {
        depth_ = static_cast<size_t>(parameters.pipe_operations);
        pipes_ = static_cast<int>(parameters.pipes);
        merged_.configure(parameters.pipes);
        through_ = parameters.head_to_notification - kStagesCycles;
    }
    bool has_room() const { return queue_.size() < depth_; }
    // A head check that finds no room is merged: it is offered, and a cycle later accepted.
    void offer(Cycle now) { merged_.offer(now); }
    void add(const Operation &operation, Cycle now, ExtensionPage &page) {
        if (has_room() || operation.index >= pipes_) {
            queue_.push(now + through_) = operation;
        } else {
            page.count(kMergedHeadChecks, now + 1);
            merged_.accept(operation.index, now);
        }
    }
    void retry(int pipe, Cycle now) { merged_.accept(pipe, now); }
    // When all else of a cycle is done. What is offered stays until it is taken.
    void end(Cycle now) {
        if (!is_offered_ && taken_ != now && ready(now)) is_offered_ = true, offers_merged_ = chooses_merged(now);
        merged_.end(now);
    }
    bool ready(Cycle now) const { return queue_.ready(now) || merged_.ready(now); }
    Cycle next() const { return std::min(queue_.next(), merged_.next()); }
    Operation take(Cycle now) {
        const bool from_set = is_offered_ ? offers_merged_ : chooses_merged(now);
        is_offered_ = false, taken_ = now;
        set_next_ = !from_set;
        if (from_set) return {Operation::kRetry, merged_.take(now), PipeWord::kOther, 0, 0};
        const Operation operation = queue_.front();
        queue_.pop();
        return operation;
    }

  private:
    bool chooses_merged(Cycle now) const { return merged_.ready(now) && (set_next_ || !queue_.ready(now)); }

    size_t depth_ = 0;
    int pipes_ = 0;
    Cycle through_ = 0;
    bool set_next_ = false, is_offered_ = false, offers_merged_ = false;
    Cycle taken_ = -1;
    DelayQueue<Operation> queue_;
    IndexSet merged_;
};

struct Pipe {
    uint32_t tail = 0, head = 0, drops = 0;
    bool armed = false, header_mode = false;
    RingRegisters ring;
};

// One packet or operation per cycle; each decision sees all before it.
class PipeManager {
  public:
    std::vector<Pipe> pipes;

    void configure(const NicParameters &parameters) { pipes.assign(static_cast<size_t>(parameters.pipes), {}); }
    void step(Cycle now, Door &door, OperationQueue &operations, ExtensionPage &page) {
        const bool has_frame = door.ready(now);
        if (operations.ready(now) && !(has_frame && packet_next_)) {
            packet_next_ = true;
            operate(operations.take(now), now);
        } else if (has_frame) {
            packet_next_ = false;
            store(door.take(), now, page);
        }
    }
    DelayQueue<Command> &commands() { return commands_; }
    // Whether packets notify each changes in this cycle; it counts for packets that were taken up to a cycle ago.
    void change_mode(bool armed, Cycle now) {
        for (const Latest &latest : latest_)
            if (latest.pipe && latest.at >= now - 1) latest.pipe->armed = armed;
    }

  private:
    static constexpr uint32_t kIndexMask = (1 << 20) - 1;
    static constexpr Cycle kToCount = 4;

    Pipe *pipe(int index) { return static_cast<size_t>(index) < pipes.size() ? &pipes[static_cast<size_t>(index)] : nullptr; }
    void store(const Door::Steered &steered, Cycle now, ExtensionPage &page) {
        const AdmittedFrame &frame = steered.frame;
        Pipe none, *owner = pipe(steered.pipe);
        Pipe &state = owner ? *owner : none;
        const bool header = owner && state.header_mode && !steered.miss;
        const uint32_t mask = state.ring.mask() & kIndexMask, tail = state.tail & mask, free = (state.head - tail - 1) & mask;
        const int flits = header ? (frame.length + 63) / 64 + 1 : (frame.end + 63) / 64;
        const bool enabled = owner && state.ring.enabled && state.ring.address() != 0;
        const int cause = !header && frame.refusal != kNone ? frame.refusal : steered.miss ? kNoFlow
                        : !enabled ? kPipeDisabled : static_cast<uint32_t>(flits) > free ? kPipeFull : kNone;
        Command &command = commands_.push(now + kPipeManagerCycles);
        command = {};
        command.kind = cause == kNone ? CommandKind::kPacket : CommandKind::kDrop;
        command.header = header, command.length = frame.length, command.kept = header ? frame.length : frame.end;
        command.drops = state.drops, command.hash = steered.hash, command.arrival = frame.arrival;
        command.pipe = steered.pipe, command.flits = flits, command.offset = tail, command.mask = mask;
        command.base = (state.ring.address() & ~uint64_t{1023}) / kLineBytes;
        command.buffer = static_cast<int>(state.ring.low & 1023);
        if (cause != kNone) {
            page.drop(cause, now + kToCount);
            if (owner && !steered.miss) state.drops++;
            return;
        }
        page.count(kRxPackets, now + kToCount);
        command.notify = !state.armed;
        state.tail = command.tail = (tail + static_cast<uint32_t>(flits)) & mask;
        state.armed = !page.notify_per_packet;
        latest_[1] = latest_[0], latest_[0] = {now, &state};
    }
    void operate(const Operation &operation, Cycle now) {
        Pipe none, *owner = pipe(operation.index);
        Pipe &state = owner ? *owner : none;
        const uint32_t mask = state.ring.mask() & kIndexMask, tail = state.tail & mask;
        Command command{};
        command.pipe = command.index = operation.index, command.tail = tail;
        command.buffer = static_cast<int>(state.ring.low & 1023);
        command.word = operation.word, command.tag = operation.tag, command.data = operation.data;
        switch (operation.kind) {
            case Operation::kHeadCheck:
            case Operation::kRetry: {
                const bool enabled = owner && state.ring.enabled && state.ring.address() != 0;
                command.kind = CommandKind::kCheck;
                command.notify = enabled && ((state.head - tail) & mask) != 0;
                state.armed = command.notify;
                if (!command.notify) return;
                break;
            }
            case Operation::kTailWrite:
                command.kind = CommandKind::kTailWrite;
                state.tail = static_cast<uint32_t>(operation.data);
                if (operation.index < kFirstBufferPage) return;
                break;
            case Operation::kRegisterRead:
                command.kind = CommandKind::kRead;
                if (owner) command.data = value(state, operation);
                break;
        }
        commands_.push(now + kPipeManagerCycles) = command;
    }
    static uint64_t value(const Pipe &state, const Operation &operation) {
        switch (operation.word) {
            case PipeWord::kIndices: return state.tail | uint64_t{state.head} << 32;
            case PipeWord::kMemory: return state.ring.address();
            case PipeWord::kMode: return state.header_mode;
            case PipeWord::kDrops: return state.drops;
            case PipeWord::kOther: break;
        }
        return operation.data;
    }

    struct Latest {
        Cycle at = 0;
        Pipe *pipe = nullptr;
    };

    bool packet_next_ = false;
    std::array<Latest, 2> latest_;  // packets put into pipes
    DelayQueue<Command> commands_;
};
