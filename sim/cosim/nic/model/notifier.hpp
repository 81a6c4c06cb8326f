// Where notifications go in their rings, and those that wait for room: notifier.py, owed_notifications.py.
#pragma once
#include "commands.hpp"
#include "pipes.hpp"

struct NotificationRing {
    uint32_t tail = 0, head = 0;
    RingRegisters ring;
};

// Pipes whose notification found its ring full, a list per notification buffer.
class OwedNotifications {
  public:
    void configure(const NicParameters &parameters) {
        lists_.assign(static_cast<size_t>(parameters.notification_buffers), {});
        members_.assign(static_cast<size_t>(parameters.pipes), {});
        nexts_.assign(static_cast<size_t>(parameters.pipes), 0);
        freed_.configure(parameters.notification_buffers);
    }
    bool has_room(Cycle now) const { return queue_.size() <= kDepth - kSettle || !queue_.ready(now); }
    void owe(int pipe, int buffer, Cycle now) { queue_.push(now) = {pipe, buffer}; }
    // Software writes the head of a buffer's ring; a cycle later it has.
    void offer_freed(Cycle now) { freed_.offer(now); }
    void freed(int buffer, Cycle now) {
        if (static_cast<size_t>(buffer) < lists_.size()) freed_.accept(buffer, now);
    }
    void end(Cycle now) { freed_.end(now); }
    Cycle next(Cycle now) const {
        if (step_ != Step::kChoose || has_left_ || settle_) return now + 1;
        return std::max(now + 1, std::min(queue_.next(), freed_.next()));
    }
    void step(Cycle now, OperationQueue &operations) {
        const bool waits = settle_ != 0, is_settled = settle_ == 1;
        if (settle_ > 1) settle_--;
        switch (step_) {
            case Step::kChoose:
                if (has_left_) step_ = Step::kLeft;
                else if (queue_.ready(now)) step_ = Step::kOwe;
                else if (is_settled) step_ = Step::kFreed;
                else if (!waits && freed_.ready(now)) buffer_ = freed_.take(now), settle_ = kSettle;
                break;
            case Step::kOwe: add(); break;
            case Step::kFreed:
            case Step::kLeft: {
                if (!has_left_) settle_ = 0;
                List &list = lists_[static_cast<size_t>(has_left_ ? left_ : buffer_)];
                has_left_ = false;
                current_ = list.first, end_ = list.last;
                step_ = list.any ? Step::kRetry : Step::kChoose;
                list.any = false;
                break;
            }
            case Step::kRetry:
                operations.offer(now);
                step_ = Step::kAccept;
                break;
            case Step::kAccept:
                operations.retry(current_, now);
                members_[static_cast<size_t>(current_)].any = false;
                step_ = current_ == end_ ? Step::kChoose : Step::kFollow;
                break;
            case Step::kFollow:
                current_ = nexts_[static_cast<size_t>(current_)];
                step_ = Step::kRetry;
                break;
        }
    }

  private:
    static constexpr size_t kDepth = 16, kSettle = 8;
    enum class Step { kChoose, kOwe, kFreed, kLeft, kRetry, kAccept, kFollow };
    struct List {
        int first = 0, last = 0;
        bool any = false;
    };
    struct Member {
        int buffer = 0;
        bool any = false;
    };
    struct Owed {
        int pipe, buffer;
    };

    void add() {
        const Owed owed = queue_.front();
        queue_.pop();
        step_ = Step::kChoose;
        Member &member = members_[static_cast<size_t>(owed.pipe)];
        if (member.any) {
            has_left_ = member.buffer != owed.buffer, left_ = member.buffer;
            return;
        }
        List &list = lists_[static_cast<size_t>(owed.buffer)];
        if (list.any) nexts_[static_cast<size_t>(list.last)] = owed.pipe;
        else list.first = owed.pipe;
        list.last = owed.pipe, list.any = true;
        member = {owed.buffer, true};
    }

    Step step_ = Step::kChoose;
    size_t settle_ = 0;
    int buffer_ = 0, current_ = 0, end_ = 0, left_ = 0;
    bool has_left_ = false;
    std::vector<List> lists_;
    std::vector<Member> members_;
    std::vector<int> nexts_;
    DelayQueue<Owed> queue_;
    IndexSet freed_;
};

class Notifier {
  public:
    std::vector<NotificationRing> rings;

    void configure(const NicParameters &parameters) {
        rings.assign(static_cast<size_t>(parameters.notification_buffers), {});
    }
    void step(Cycle now, DelayQueue<Command> &commands, OwedNotifications &owed, ExtensionPage &page) {
        if (!commands.ready(now)) return;
        Command &command = commands.front();
        if (decide(command, now, owed, page)) writes_.push(now + kNotifierCycles) = command;
        commands.pop();
    }
    // Their places are known.
    DelayQueue<Command> &writes() { return writes_; }

  private:
    static constexpr uint32_t kIndexMask = (1 << 15) - 1;
    static constexpr Cycle kToOwed = 4, kToCount = 4;

    // Whether anything is left to be written.
    bool decide(Command &command, Cycle now, OwedNotifications &owed, ExtensionPage &page) {
        const bool is_register = command.kind == CommandKind::kRead || command.kind == CommandKind::kTailWrite;
        const int buffer = is_register ? command.index - kFirstBufferPage : command.buffer;
        const bool exists = buffer >= 0 && static_cast<size_t>(buffer) < rings.size();
        NotificationRing none, &state = exists ? rings[static_cast<size_t>(buffer)] : none;
        if (command.kind == CommandKind::kTailWrite) {
            state.tail = static_cast<uint32_t>(command.data);
            return false;
        }
        if (command.kind == CommandKind::kRead) {
            if (exists && command.word == PipeWord::kIndices) command.data = state.tail | uint64_t{state.head} << 32;
            if (exists && command.word == PipeWord::kMemory) command.data = state.ring.address();
            return true;
        }
        if (!command.notify) return true;
        const uint32_t mask = state.ring.mask() & kIndexMask;
        const bool has_ring = exists && state.ring.enabled && state.ring.address() != 0;
        command.notify = has_ring && ((state.head - state.tail - 1) & mask) != 0;
        if (command.notify) {
            command.slot = state.ring.address() / kLineBytes + (state.tail & mask);
            state.tail = (state.tail + 1) & mask;
            page.count(kNotifications, now + kToCount);
        } else if (has_ring) {
            page.count(kOwedNotifications, now + kToCount);
            owed.owe(command.pipe, command.buffer, now + kToOwed);
        } else {
            page.count(kLostNotifications, now + kToCount);
        }
        return command.notify || command.kind != CommandKind::kCheck;
    }

    DelayQueue<Command> writes_;
};
