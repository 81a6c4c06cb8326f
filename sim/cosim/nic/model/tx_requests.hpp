// TX requests: what each asks for, in order, and again if need be; and their completions: tx_requests.py.
#pragma once
#include <array>
#include <vector>

#include "dma_writer.hpp"
#include "ordered_reader.hpp"

constexpr int kMostFragments = 4;
enum CompletionCode : int { kDone = 0, kMalformed = 1, kReadError = 2, kUnknown = 3, kUnfinished = 6, kForbidden = 7 };

// What the packetiser says of a request when it has passed: first what it held back, then itself.
struct TxResult {
    int released = 0, released_code = 0, place = 0, code = 0;
    bool held = false;
};

struct Fragment {
    uint64_t address;
    uint32_t flits;
};

// A frame that the requests of a notification buffer have begun and not ended.
struct UnfinishedFrame {
    int held = 0, count = 0;
    bool framed = false;
    std::array<Fragment, kMostFragments> fragments{};
};

class TxRequests {
  public:
    void configure(const NicParameters &parameters) {
        outstanding_ = static_cast<uint32_t>(2 * parameters.data_tags);
        requests_.assign(outstanding_, {});
        held_.assign(static_cast<size_t>(parameters.notification_buffers) * kMostFragments, {});
        slot_to_job_ = parameters.slot_to_data_read - kReaders;
        result_to_completion_ = parameters.data_to_completion - kLineToResult;
    }
    bool has_room() const { return added_ - completed_at_start_ != outstanding_; }
    void begin() { completed_at_start_ = completed_; }
    static bool is_config(const ReadLine &slot) {
        return slot.kind == ReadKind::kRequest && !slot.error && word(slot, 0) == kConfigSignal;
    }
    // `code`: of a config request that took effect, or kForbidden.
    void add(const ReadLine &slot, int code, Cycle now) {
        Request &request = requests_[added_++ % outstanding_];
        request = {};
        request.slot = slot.address, request.buffer = slot.buffer, request.generation = slot.generation;
        request.kind = ReadKind::kNothing;
        request.issues = now + slot_to_job_;
        if (slot.kind == ReadKind::kClose) {
            request.kind = ReadKind::kClose;
            return;
        }
        if (slot.error) {
            request.code = kReadError;
            return;
        }
        request.address = word(slot, 1);
        request.length = static_cast<uint32_t>(word(slot, 2)) & 0xfffff, request.framed = word(slot, 2) >> 32 & 1;
        if (is_config(slot) || code == kForbidden) request.code = code;
        else if (request.address % kLineBytes || !request.length) request.code = kMalformed;
        else request.kind = ReadKind::kRequest;
    }
    // The next job, if there is one; to be called before anything of this cycle is added.
    bool offers_job(Cycle now) const {
        return fragments_asked_ != again_.count || (issued_ != added_ && requests_[issued_ % outstanding_].issues <= now);
    }
    ReadJob take_job() {
        const bool is_fragment = fragments_asked_ != again_.count;
        const Request &current = requests_[issued_ % outstanding_];
        ReadJob job;
        job.epoch = epoch_, job.buffer = current.buffer, job.generation = current.generation;
        if (is_fragment) {
            const Fragment &fragment = again_.fragments[static_cast<size_t>(fragments_asked_++)];
            job.kind = ReadKind::kFragment, job.address = fragment.address, job.flits = fragment.flits;
            job.length = fragment.flits * kLineBytes, job.framed = again_.framed;
        } else {
            job.kind = current.kind, job.address = current.address / kLineBytes, job.length = current.length;
            job.flits = current.kind == ReadKind::kRequest ? (current.length + kLineBytes - 1) / kLineBytes : 0;
            job.framed = current.framed;
            issued_++;
        }
        return job;
    }
    void rewind(const UnfinishedFrame &frame) {
        again_ = frame, fragments_asked_ = 0, issued_ = finished_, epoch_ = !epoch_;
    }
    void done(const TxResult &result, Cycle now) {
        finished_++;
        results_.push(now + result_to_completion_) = result;
    }
    // Whether a completion is shown in this cycle; those that are lost, and marks, leave by the way.
    bool shows(Cycle now, const TxFetch &fetch, ExtensionPage &page) {
        if (!results_.ready(now)) return false;
        const TxResult &result = results_.front();
        const Request &oldest = requests_[completed_ % outstanding_];
        releases_ = place_ != result.released;
        if (releases_ && !was_read_) {  // it takes a cycle to read what was held back
            was_read_ = true;
            return false;
        }
        if (!releases_ && (result.held || oldest.kind == ReadKind::kClose)) {
            if (result.held) held_[place(oldest.buffer, result.place)] = oldest;
            pop();
            return false;
        }
        due_ = releases_ ? held_[place(oldest.buffer, place_)] : oldest;
        if (was_shown_ || due_.generation == fetch.generation(due_.buffer)) return true;
        page.count(kLostCompletions, now + 1);
        leave();
        return false;
    }
    void put(HostBeat &beat) const {
        const TxResult &result = results_.front();
        const int code = releases_ ? result.released_code : result.code;
        std::memset(beat.words, 0, kLineBytes);
        beat.put64(1, due_.address), beat.put64(2, due_.length);
        beat.put64(3, static_cast<uint64_t>(due_.kind == ReadKind::kRequest ? code : due_.code));
        beat.set(due_.slot, 1, true, true, false, 0);
    }
    // What is shown is taken, or not.
    void answered(bool taken) {
        was_shown_ = !taken;
        if (taken) leave();
    }
    Cycle next(Cycle now) const {
        Cycle next = results_.next();
        if (fragments_asked_ != again_.count) return now + 1;
        if (issued_ != added_) next = std::min(next, requests_[issued_ % outstanding_].issues);
        return std::max(now + 1, next);
    }

  private:
    static constexpr Cycle kReaders = 5, kLineToResult = 4;  // of those, what the readers and the packetiser take
    struct Request {
        uint64_t slot, address;
        uint32_t length;
        bool framed;
        int buffer, code;
        uint8_t generation;
        ReadKind kind;
        Cycle issues;
    };

    static uint64_t word(const ReadLine &slot, int index) {
        uint64_t value;
        std::memcpy(&value, slot.data + 8 * index, 8);
        return value;
    }
    static size_t place(int buffer, int place) { return static_cast<size_t>(buffer * kMostFragments + place); }
    void leave() {
        was_shown_ = was_read_ = false;
        if (releases_) place_++;
        else pop();
    }
    void pop() {
        results_.pop();
        completed_++, place_ = 0;
    }

    uint32_t outstanding_ = 1, added_ = 0, issued_ = 0, finished_ = 0, completed_ = 0, completed_at_start_ = 0;
    Cycle slot_to_job_ = 0, result_to_completion_ = 0;
    std::vector<Request> requests_, held_;
    UnfinishedFrame again_;
    int fragments_asked_ = 0, place_ = 0;
    bool epoch_ = false, releases_ = false, was_read_ = false, was_shown_ = false;
    Request due_{};
    DelayQueue<TxResult> results_;
};
