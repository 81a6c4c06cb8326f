// The TX registers, and which slots of the rings are to be fetched: tx_request_fetch.py.
#pragma once
#include <optional>
#include <vector>

#include "delay_queue.hpp"
#include "registers.hpp"

enum class ReadKind { kRequest, kFragment, kNothing, kClose };

// Consecutive lines of host memory that belong together, or a mark that keeps its place among such.
struct ReadJob {
    ReadKind kind = ReadKind::kRequest;
    bool epoch = false, framed = false;
    uint64_t address = 0;  // in lines
    uint32_t flits = 0, length = 0;
    int buffer = 0;
    uint8_t generation = 0;
};

class TxFetch {
  public:
    std::optional<uint64_t> answer;  // of the last access that was a read, from cycle `answered` on
    Cycle answered = 0;

    void configure(const NicParameters &parameters) {
        buffers_.assign(static_cast<size_t>(parameters.notification_buffers), {});
        to_serve_ = parameters.tail_to_slot_read - kServedToRead;
        to_answer_ = parameters.tx_register_read - parameters.register_read;
    }
    uint8_t generation(int buffer) const { return buffers_[static_cast<size_t>(buffer)].generation; }
    bool offers_slots() const { return closed_ || count_; }
    // The slots that are offered.
    ReadJob slots() const {
        ReadJob job;
        job.kind = closed_ ? ReadKind::kClose : ReadKind::kRequest;
        job.address = base_ + start_, job.flits = closed_ ? 0 : count_;
        job.buffer = buffer_, job.generation = generation_;
        return job;
    }
    void slots_taken() {
        if (closed_) closed_ = false;
        else start_ = 0, count_ = wrapped_, wrapped_ = 0;
    }
    // `access`: one that waits, or null. Whether it was accepted. `is_free`: no slots were offered when the cycle began.
    bool step(Cycle now, const Access *access, bool is_free, int ring_size) {
        if (step_ == Step::kAccess) {
            carry_out(now, ring_size);
            step_ = Step::kChoose;
            return false;
        }
        if (step_ == Step::kServe) {
            serve();
            step_ = Step::kChoose;
            return false;
        }
        const bool can_access = access && !answer, can_serve = is_free && pending_.ready(now);
        if (can_serve && !(can_access && served_last_)) {
            row_ = pending_.front();
            pending_.pop();
            served_last_ = true, step_ = Step::kServe;
            return false;
        }
        if (!can_access) return false;
        access_ = *access, row_ = access->buffer();
        served_last_ = false, step_ = Step::kAccess;
        return true;
    }
    Cycle next(Cycle now) const {
        if (step_ != Step::kChoose) return now + 1;
        return std::max(now + 1, pending_.next());
    }

  private:
    static constexpr Cycle kServedToRead = 5;  // from the choice of a pending buffer to its read request
    static constexpr uint32_t kIndexMask = (1 << 15) - 1;
    enum class Step { kChoose, kAccess, kServe };
    struct Buffer {
        uint32_t tail = 0, head = 0;
        RingRegisters ring;
        uint8_t generation = 0;
        bool pending = false, closed = false;
    };

    void carry_out(Cycle now, int ring_size) {
        const bool exists = static_cast<size_t>(row_) < buffers_.size();
        Buffer none, &buffer = exists ? buffers_[static_cast<size_t>(row_)] : none;
        const bool is_indices = access_.word == 2;
        if (!access_.write) {
            answered = now + to_answer_ - 1;
            answer = is_indices ? buffer.tail | uint64_t{buffer.head} << 32 : buffer.ring.address();
        } else if (is_indices) {
            if (access_.low) buffer.tail = access_.low_half(), wait(buffer, exists, now);
            if (access_.high) buffer.head = access_.high_half();
        } else {
            const bool was_enabled = buffer.ring.enabled;
            if (access_.low) buffer.ring.low = access_.low_half();
            if (access_.high) buffer.ring.high = access_.high_half(), buffer.ring.size = static_cast<uint8_t>(ring_size);
            const bool has_address = access_.high && buffer.ring.address() != 0;
            if (access_.low || access_.high) buffer.ring.enabled = has_address;
            if (was_enabled && (access_.low || (access_.high && !has_address))) {
                buffer.closed = true, buffer.generation++;
                wait(buffer, exists, now);
            }
        }
    }
    void wait(Buffer &buffer, bool exists, Cycle now) {
        if (exists && !buffer.pending) pending_.push(now + to_serve_ - 1) = row_;
        buffer.pending = true;
    }
    void serve() {
        Buffer &buffer = buffers_[static_cast<size_t>(row_)];
        closed_ = buffer.closed, buffer_ = row_, generation_ = buffer.generation;
        buffer.pending = buffer.closed = false;
        const uint32_t slots = uint32_t{1} << buffer.ring.size;
        const uint32_t head = buffer.head & (slots - 1) & kIndexMask, tail = buffer.tail & (slots - 1) & kIndexMask;
        if (!buffer.ring.enabled || head == tail) return;
        buffer.head = buffer.tail;
        base_ = buffer.ring.address() / kLineBytes, start_ = head;
        count_ = (head < tail ? tail : slots) - head, wrapped_ = head < tail ? 0 : tail;
    }

    Step step_ = Step::kChoose;
    bool served_last_ = false;
    int row_ = 0;
    Cycle to_serve_ = 0, to_answer_ = 0;
    static constexpr Word kNoAccess[kMmioRequestWords] = {};
    Access access_{kNoAccess};
    std::vector<Buffer> buffers_;
    DelayQueue<int> pending_;
    // the job of the last buffer served: up to the ring's end, then from its beginning
    bool closed_ = false;
    uint64_t base_ = 0;
    uint32_t start_ = 0, count_ = 0, wrapped_ = 0;
    int buffer_ = 0;
    uint8_t generation_ = 0;
};
