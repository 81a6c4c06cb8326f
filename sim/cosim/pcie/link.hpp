// The two directions of the link, as servers that take their items one after the other, and the draws for its whims.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

using Time = int64_t;  // ps
constexpr Time kPeriod = 4000;
constexpr Time kNever = std::numeric_limits<Time>::max();

// Filled by Python field by field: LinkParameters in bridge.py has the same fields in the same order.
struct LinkParameters {
    int64_t propagation_up_ps, propagation_down_ps, bytes_per_second, overhead_bytes;
    int64_t max_payload_bytes, max_read_bytes, completion_boundary_bytes, memory_read_ps, up_queue_bytes;
    int64_t wire_bits_per_second, wire_overhead_bytes, tx_fifo_bytes;
    int64_t cut_completions, completion_jitter_ps, to_host_stall_percent, tx_stall_percent, seed;
};
constexpr int kLinkParameters = sizeof(LinkParameters) / sizeof(int64_t);

inline Time first_cycle_at(Time time) { return (time + kPeriod - 1) / kPeriod; }

// Time to send `bytes` at `bytes_per_second`, rounded up.
inline Time sending_time(int64_t bytes, int64_t bytes_per_second) {
    return (bytes * 1'000'000'000'000 + bytes_per_second - 1) / bytes_per_second;
}

// One direction: first come, first served.
class Server {
  public:
    // Time at which an item that comes at `at` and takes `duration` is through.
    Time serve(Time at, Time duration) {
        free_ = std::max(at, free_) + duration;
        if (is_logged_) log(free_ - duration);
        return free_;
    }
    // Time from which on no more than `duration` of work is left.
    Time down_to(Time duration) const { return free_ - duration; }
    // From now on, keep when it is busy: begin and end of each span, in order.
    void begin_log() { is_logged_ = true; }
    const std::vector<Time> &busy() const { return busy_; }

  private:
    void log(Time begin) {
        if (!busy_.empty() && busy_.back() == begin) busy_.pop_back();
        else busy_.push_back(begin);
        busy_.push_back(free_);
    }

    Time free_ = 0;
    bool is_logged_ = false;
    std::vector<Time> busy_;
};

// Draws that depend on what they are for and on nothing else, so that no order of evaluation changes them.
class Draws {
  public:
    enum Purpose : uint64_t { kCut = 1, kJitter = 2, kToHostReady = 3, kReadRequestReady = 4, kTxReady = 5 };

    Draws() = default;
    explicit Draws(int64_t seed) : seed_(static_cast<uint64_t>(seed)) {}

    // Uniform in 0..bound-1.
    int64_t below(int64_t bound, Purpose purpose, uint64_t index, uint64_t part = 0) const {
        uint64_t z = scramble(scramble(seed_ * 8 + purpose) ^ index) ^ part;
        return static_cast<int64_t>(static_cast<unsigned __int128>(scramble(z)) * static_cast<uint64_t>(bound) >> 64);
    }

  private:
    static uint64_t scramble(uint64_t z) {  // the finaliser of SplitMix64
        z += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    uint64_t seed_ = 0;
};
