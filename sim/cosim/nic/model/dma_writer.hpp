// Decided packets, notifications and answers as beats to the host: dma_writer.py, write_planner.py, host_write_arbiter.py.
#pragma once
#include "commands.hpp"
#include "door.hpp"

// One beat to the host, as its pins.
struct HostBeat {
    Word words[kHostWriteWords];

    void set(uint64_t line, int flits, bool first, bool last, bool is_answer, uint8_t tag) {
        words[16] = static_cast<Word>(line);
        words[17] = static_cast<Word>(line >> 32 & 0x3ffffff) | static_cast<Word>(flits) << 26 | Word{first} << 30 |
                    Word{last} << 31;
        words[18] = Word{is_answer} | Word{tag} << 1;
    }
    void put64(int index, uint64_t value) { std::memcpy(words + 2 * index, &value, 8); }
    bool last() const { return words[17] >> 31; }
};

class DmaWriter {
  public:
    bool valid = false;  // `beat` is shown
    HostBeat beat;

    // `taken`: the host takes the beat that is shown, in this cycle.
    void step(Cycle now, bool taken, DelayQueue<Command> &writes, FlitBuffer &flits, int64_t max_payload) {
        const bool has_room = queue_.size() < kStageDepth && reads_.size() < kStageDepth;
        const bool advance = !valid || taken;
        flit_taken_ = false, was_begun_ = begun_;
        const bool emits = advance && emit();
        if (advance) valid = emits;
        plan(now, emits && !was_begun_, max_payload);
        show(now, flit_taken_, flits);
        if (has_room && writes.ready(now)) {
            const Command &command = writes.front();
            if (command.kind != CommandKind::kDrop) queue_.push(now + 1) = command;
            if (command.kind == CommandKind::kDrop || command.kind == CommandKind::kPacket) reads_.push(now + 1) = command;
            writes.pop();
        }
    }
    // Whether the next cycle may change anything.
    bool is_active() const { return valid || has_job_ || begun_ || flit_valid_ || !queue_.empty() || !reads_.empty(); }

  private:
    struct Job {
        bool is_answer, notify;
        int flits, pipe;
        uint64_t address, slot, data;
        uint32_t tail;
        uint8_t tag;
    };

    // Puts the next line on `beat`, if there is one.
    bool emit() {
        if (!begun_ && !has_job_) return false;
        const Job &shown = begun_ ? rest_ : job_;
        if (shown.flits) {
            if (!flit_valid_) return false;
            std::memcpy(beat.words, flit_, kLineBytes);
            beat.set(job_.address, job_.flits, !begun_, shown.flits == 1, false, 0);
            flit_taken_ = true;
        } else {
            std::memset(beat.words, 0, kLineBytes);
            if (shown.is_answer) {
                beat.put64(0, shown.data);
            } else {
                beat.put64(0, 1), beat.put64(1, static_cast<uint64_t>(shown.pipe)), beat.put64(2, shown.tail);
            }
            beat.set(shown.slot, 1, true, true, shown.is_answer, shown.tag);
        }
        const bool has_more = shown.flits > 1 || (shown.flits == 1 && shown.notify);
        if (!begun_) rest_ = job_;
        rest_.flits--;
        begun_ = has_more;
        return true;
    }

    // Cut at boundaries, and merged with what follows while it waits.
    void plan(Cycle now, bool taken, int64_t max_payload) {
        if (taken) has_job_ = false;
        if (!queue_.ready(now)) return;
        const Command &item = queue_.front();
        const bool is_packet = item.kind == CommandKind::kPacket;
        const uint64_t line = item.base + ((item.offset + static_cast<uint32_t>(planned_)) & item.mask);
        const int beyond = static_cast<int>(line & static_cast<uint64_t>(max_payload - 1));
        const int room = static_cast<int>(max_payload) - beyond, remaining = is_packet ? item.flits - planned_ : 0;
        const bool ends = remaining <= room;
        const int count = ends ? remaining : room;
        if (has_job_) {
            if (!is_growing_ || !is_packet || line != next_line_ || beyond == 0) return;
            job_.flits += count;
        } else {
            has_job_ = true;
            job_.is_answer = item.kind == CommandKind::kRead, job_.flits = count, job_.address = line;
        }
        job_.notify = item.notify && ends;
        job_.slot = item.slot, job_.pipe = item.pipe, job_.tail = item.tail, job_.tag = item.tag, job_.data = item.data;
        is_growing_ = is_packet && !job_.notify;
        next_line_ = line + static_cast<uint64_t>(count);
        planned_ = ends ? 0 : planned_ + count;
        if (ends) queue_.pop();
    }

    // Flits of the oldest frame, one per cycle; a dropped frame takes one cycle.
    void show(Cycle now, bool taken, FlitBuffer &flits) {
        const bool advance = !flit_valid_ || taken;
        if (advance) flit_valid_ = false;
        if (!reads_.ready(now)) return;
        const Command &read = reads_.front();
        const auto stored = static_cast<uint32_t>((read.length + kLineBytes - 1) / kLineBytes);
        if (read.kind == CommandKind::kDrop) {
            flits.take(stored);
            return reads_.pop();
        }
        if (!advance) return;
        flit_valid_ = true;
        if (read.header && !header_shown_) {
            std::memset(flit_, 0, kLineBytes);
            const uint32_t words[] = {static_cast<uint32_t>(read.length), read.hash, static_cast<uint32_t>(read.arrival),
                                      static_cast<uint32_t>(read.arrival >> 32), read.drops};
            std::memcpy(flit_, words, sizeof words);
            header_shown_ = true;
            return;
        }
        const int left = read.kept - static_cast<int>(shown_) * kLineBytes;
        std::memcpy(flit_, flits.oldest(), kLineBytes);
        if (left < kLineBytes) std::memset(flit_ + left, 0, static_cast<size_t>(kLineBytes - left));
        if (left > kLineBytes) {
            flits.take(1);
            shown_++;
            return;
        }
        flits.take(stored - shown_);
        shown_ = 0, header_shown_ = false;
        reads_.pop();
    }

    DelayQueue<Command> queue_, reads_;
    // the planner's
    bool has_job_ = false, is_growing_ = false;
    Job job_{};
    uint64_t next_line_ = 0;
    int planned_ = 0;
    // what follows the first beat of a job
    bool begun_ = false, was_begun_ = false, flit_taken_ = false;
    Job rest_{};
    // the packet buffer's output
    bool flit_valid_ = false, header_shown_ = false;
    uint32_t shown_ = 0;
    uint8_t flit_[kLineBytes];
};
