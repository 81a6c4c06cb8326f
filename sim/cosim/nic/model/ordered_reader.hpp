// Reads of host memory whose lines come out in the order in which they were asked for: ordered_reader.py, read_tags.py.
#pragma once
#include <vector>

#include "delay_queue.hpp"
#include "pins.hpp"
#include "tx_fetch.hpp"

constexpr int kConfigSignal = 2;  // of a slot

// One line of a job; of one without lines, a single one without data.
struct ReadLine {
    uint8_t data[kLineBytes];
    ReadKind kind;
    bool epoch, framed, first, last, error;
    uint64_t address;  // in lines
    uint32_t length;
    int buffer;
    uint8_t generation;
};

struct ReadRequest {
    uint64_t address;  // in lines
    uint32_t flits;
    int tag;

    void set(Word *words) const {
        const uint64_t high = address >> 32 | uint64_t{flits} << 26 | static_cast<uint64_t>(tag) << 30;
        words[0] = static_cast<Word>(address), words[1] = static_cast<Word>(high), words[2] = static_cast<Word>(high >> 32);
    }
};

class OrderedReader {
  public:
    ReadLine line;
    bool line_valid = false;
    ReadRequest request;
    bool request_valid = false;

    void configure(int64_t tags, int first_tag, int64_t timeout) {
        first_tag_ = first_tag, timeout_ = timeout, mask_ = static_cast<uint32_t>(tags - 1);
        chunks_.assign(static_cast<size_t>(tags), {});
    }
    // After a reset: tags of reads under way stay reserved until their answers end, or for so long.
    void inherit(const OrderedReader &before, Cycle until) {
        for (size_t tag = 0; tag < chunks_.size(); tag++)
            if (before.chunks_[tag].in_flight) chunks_[tag].in_flight = true, chunks_[tag].ignore_until = until;
    }
    // Shows the next line if the one shown is taken, or none is.
    void show(Cycle now, bool taken, ExtensionPage &page) {
        if (line_valid && !taken) return;
        line_valid = false;
        if (freed_ == taken_) return;
        Chunk &chunk = chunks_[freed_ & mask_];
        if (!chunk.complete && !gave_up_) {
            if (chunk.in_flight && now >= chunk.deadline) gave_up_ = true, page.count(kReadTimeouts, now + 1);
            return;
        }
        const bool is_missing = gave_up_ || shown_ > chunk.end, ends = shown_ + 1 >= chunk.flits;
        line_valid = true;
        const ReadJob &job = chunk.job;
        if (chunk.flits) std::memcpy(line.data, chunk.data + shown_ * kLineBytes, kLineBytes);
        line.kind = job.kind, line.epoch = job.epoch, line.framed = job.framed, line.address = job.address + shown_;
        line.length = job.length, line.buffer = job.buffer, line.generation = job.generation;
        line.error = chunk.flits && (is_missing || chunk.errors >> shown_ & 1);
        line.first = chunk.begins && shown_ == 0, line.last = ends && chunk.ends;
        shown_ = ends ? 0 : shown_ + 1;
        if (!ends) return;
        if (gave_up_) chunk.ignore_until = now + timeout_;
        freed_++, gave_up_ = false;
    }
    // Whether another job can be taken, because none is at hand or this one is over; `request_taken`: the one shown.
    bool ask(Cycle now, bool request_taken, int64_t max_read) {
        if (request_taken) request_valid = false;
        if (!is_active_) return true;
        Chunk &chunk = chunks_[taken_ & mask_];
        if (taken_ - freed_at_start_ > mask_ || (chunk.in_flight && now < chunk.ignore_until)) return false;
        if (job_.flits && request_valid) return false;
        const auto room = static_cast<uint32_t>(max_read - static_cast<int64_t>(job_.address & static_cast<uint64_t>(max_read - 1)));
        const uint32_t flits = std::min(job_.flits, room);
        const bool ends = job_.flits == flits;
        chunk.job = job_, chunk.flits = flits, chunk.begins = job_begins_, chunk.ends = ends;
        chunk.complete = !flits, chunk.in_flight = false, chunk.errors = 0, chunk.end = flits, chunk.ignore_until = 0;
        if (flits) request = {job_.address, flits, first_tag_ + static_cast<int>(taken_ & mask_)}, request_valid = true;
        taken_++, job_begins_ = false;
        job_.address += flits, job_.flits -= flits;
        is_active_ = !ends;
        return ends;
    }
    void take_job(const ReadJob &job) { job_ = job, is_active_ = job_begins_ = true; }
    void cancel() { is_active_ = false; }
    // The host took the request with this tag.
    void sent(int tag, Cycle now) {
        Chunk &chunk = chunks_[static_cast<uint32_t>(tag) & mask_];
        chunk.in_flight = true, chunk.deadline = now + timeout_;
    }
    // To be called when a cycle begins.
    void begin() { freed_at_start_ = freed_; }
    void arrive(const Word *pins) {
        const uint32_t tag = pins[16] & 255, index = pins[16] >> 8 & 7;
        const bool last = pins[16] >> 11 & 1, error = pins[16] >> 12 & 1;
        Chunk &chunk = chunks_[tag & mask_];
        if (!chunk.in_flight) return;
        if (last) chunk.in_flight = false;
        if (chunk.ignore_until) return;
        std::memcpy(chunk.data + index * kLineBytes, pins, kLineBytes);
        chunk.errors |= static_cast<uint32_t>(error) << index;
        if (last) chunk.complete = true, chunk.end = index;
    }
    bool is_active() const {
        return line_valid || request_valid || is_active_ || (freed_ != taken_ && chunks_[freed_ & mask_].complete);
    }
    // When the oldest read is given up.
    Cycle deadline() const {
        if (freed_ == taken_ || !chunks_[freed_ & mask_].in_flight) return kNoCycle;
        return chunks_[freed_ & mask_].deadline;
    }

  private:
    struct Chunk {
        ReadJob job;
        uint32_t flits = 0, end = 0, errors = 0;
        bool begins = false, ends = false, complete = false, in_flight = false;
        Cycle deadline = 0, ignore_until = 0;
        uint8_t data[kMaxTlpBytes];
    };

    int first_tag_ = 0;
    int64_t timeout_ = 0;
    uint32_t mask_ = 0, taken_ = 0, freed_ = 0, freed_at_start_ = 0, shown_ = 0;
    bool gave_up_ = false, is_active_ = false, job_begins_ = false;
    ReadJob job_;
    std::vector<Chunk> chunks_;
};
