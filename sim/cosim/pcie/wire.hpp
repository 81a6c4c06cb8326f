// The Ethernet side: frames to come, each beat in its cycle, and frames gone.
#pragma once
#include <vector>

#include "link.hpp"
#include "pins.hpp"

// Frames that Python holds as arrays; `delivered` is written: time of the edge of each frame's last beat, -1 before.
struct FrameBlock {
    const uint8_t *bytes;
    const int64_t *offsets;
    const int32_t *lengths;
    const int64_t *times;  // when the MAC has the last bit
    const uint8_t *errors;
    int64_t *delivered;
    int64_t count;
};

// Plays frames to the NIC: beats without gaps, the last one at the first edge at or after the frame's time.
class FrameSource {
  public:
    int64_t frames_done = 0;

    void add(const FrameBlock &block) {
        if (!block.count) return;
        blocks_.push_back(block);
        if (next_cycle_ == kNever) schedule();
    }
    // Cycle of the first beat of a frame that would be next.
    int64_t first_cycle_of(Time time, int32_t length) const {
        const int64_t beats = beats_of(length);
        return std::max(first_cycle_at(time), last_cycle_ + beats) - beats + 1;
    }
    // Cycle of the next beat.
    int64_t next_cycle() const { return next_cycle_; }

    void next_beat(Word *pins) {
        const FrameBlock &block = blocks_[block_];
        const int32_t length = block.lengths[frame_];
        const int32_t from = beat_ * kLineBytes;
        const bool last = length - from <= kLineBytes;
        set_ethernet_rx(pins, block.bytes + block.offsets[frame_] + from, last ? length - from : kLineBytes, last,
                        last && block.errors[frame_]);
        beat_++, next_cycle_++;
        if (!last) return;
        block.delivered[frame_] = last_cycle_ * kPeriod;
        frames_done++;
        frame_++;
        schedule();
    }

  private:
    static int64_t beats_of(int32_t length) { return (length + kLineBytes - 1) / kLineBytes; }

    void schedule() {
        while (block_ < blocks_.size() && frame_ == blocks_[block_].count) block_++, frame_ = 0;
        next_cycle_ = kNever;
        if (block_ == blocks_.size()) return;
        const FrameBlock &block = blocks_[block_];
        next_cycle_ = first_cycle_of(block.times[frame_], block.lengths[frame_]);
        last_cycle_ = next_cycle_ + beats_of(block.lengths[frame_]) - 1;
        beat_ = 0;
    }

    std::vector<FrameBlock> blocks_;
    size_t block_ = 0;
    int64_t frame_ = 0, last_cycle_ = 0, next_cycle_ = kNever;
    int32_t beat_ = 0;
};

// Keeps the frames that the NIC sent.
class FrameSink {
  public:
    std::vector<uint8_t> bytes;
    std::vector<int64_t> ends, times;  // of each frame: end in `bytes`, time of the edge of its last beat

    void add(const EthernetTxPins &beat, Time time) {
        const auto *data = reinterpret_cast<const uint8_t *>(beat.words);
        bytes.insert(bytes.end(), data, data + beat.bytes());
        if (!beat.last()) return;
        ends.push_back(static_cast<int64_t>(bytes.size()));
        times.push_back(time);
    }
};
