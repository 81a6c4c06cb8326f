// Whole frames that wait for the wire, each until its rate limit lets it go: tx_frame_buffer.py, rate_limiter.py.
#pragma once
#include <algorithm>
#include <vector>

#include "delay_queue.hpp"
#include "frame.hpp"
#include "pins.hpp"

inline uint64_t tick_of(Cycle cycle) { return static_cast<uint64_t>(cycle) * 4 / 5; }

class RateLimiter {
  public:
    void set(bool enable, int numerator, int denominator, Cycle now) {
        credit_ = is_limited_ ? credit(tick_of(now)) : 0, since_ = tick_of(now);
        is_limited_ = enable && numerator && denominator;
        numerator_ = numerator, denominator_ = denominator;
    }
    bool may_start(Cycle now) const { return !is_limited_ || credit(tick_of(now - 1)) > 0; }
    void charge(Cycle now) {
        if (!is_limited_) return;
        credit_ = credit(tick_of(now)) - denominator_, since_ = tick_of(now);
    }
    // The first cycle in which a frame may start.
    Cycle next() const {
        const auto ticks = static_cast<uint64_t>(credit_ > 0 ? 0 : -credit_ / numerator_ + 1);
        return static_cast<Cycle>(((since_ + ticks) * 5 + 3) / 4) + 1;
    }

  private:
    static constexpr int64_t kBurstTicks = 16;
    int64_t credit(uint64_t tick) const {
        const auto passed = static_cast<int64_t>(tick > since_ ? tick - since_ : 0);
        return std::min(numerator_ * kBurstTicks, credit_ + passed * numerator_);
    }
    bool is_limited_ = false;
    int64_t numerator_ = 0, denominator_ = 0, credit_ = 0;
    uint64_t since_ = 0;  // tick up to which credit was counted
};

struct TxFlit {
    uint8_t data[kLineBytes];
    int bytes = 0;
    bool first = false, last = false;
};

class TxFrameBuffer {
  public:
    RateLimiter limiter;
    bool valid = false;
    Word beat[kEthernetWords];

    void configure(const NicParameters &parameters) {
        depth_ = static_cast<uint32_t>(parameters.tx_buffer_flits);
        longest_ = static_cast<uint32_t>(parameters.maximum_frame_flits());
        latency_ = parameters.data_to_frame - kEarlier;
        flits_.assign(depth_, {});
    }
    // Whether a flit has room in this cycle; to be asked before anything else happens in it.
    bool ready() const { return whole_ - shown_ <= depth_ - longest_; }
    // The flit that comes; one that is first takes the place of a frame that did not end.
    void put(const TxFlit &flit, Cycle now) {
        const uint32_t place = flit.first ? whole_ : whole_ + begun_;
        flits_[place & (depth_ - 1)] = flit;
        begun_ = place + 1 - whole_;
        if (!flit.last) return;
        whole_ = place + 1, begun_ = 0;
        frames_.push(now + latency_ - 1) = whole_;
    }
    // `taken`: the wire takes the beat that is shown.
    void step(Cycle now, bool taken, const TimestampSetting &timestamp, ExtensionPage &page) {
        if (valid && !taken) return;
        if (valid) {
            const bool ended = beat[18] & 1;
            if (ended) inside_ = false, page.count(kTxFrames, now + 1);
        }
        valid = false;
        while (frames_.ready(now)) visible_ = frames_.front(), frames_.pop();
        if (visible_ == shown_ || (!inside_ && !limiter.may_start(now))) return;
        TxFlit &flit = flits_[shown_++ & (depth_ - 1)];
        if (timestamp.enable && flit.first) timestamp.put(flit.data, static_cast<uint32_t>(tick_of(now)));
        std::memcpy(beat, flit.data, kLineBytes);
        const uint64_t keep = ~uint64_t{0} >> (64 - flit.bytes);
        std::memcpy(beat + 16, &keep, 8);
        beat[18] = flit.last;
        valid = inside_ = true;
        limiter.charge(now);
    }
    Cycle next(Cycle now) const {
        if (valid) return now + 1;
        Cycle next = frames_.next();
        if (visible_ != shown_) next = inside_ ? now + 1 : std::max(now + 1, limiter.may_start(now + 1) ? now + 1 : limiter.next());
        return std::max(now + 1, next);
    }

  private:
    static constexpr Cycle kEarlier = 4;  // data reader and packetiser
    uint32_t depth_ = 1, longest_ = 0, whole_ = 0, shown_ = 0, begun_ = 0, visible_ = 0;
    Cycle latency_ = 0;
    bool inside_ = false;
    std::vector<TxFlit> flits_;
    DelayQueue<uint32_t> frames_;  // their ends
};
