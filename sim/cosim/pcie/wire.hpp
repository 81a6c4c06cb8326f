// The Ethernet side: frames to come, each beat in its cycle, and frames gone.
#pragma once
#include <fcntl.h>

#include <cstdio>
#include <vector>

#include "link.hpp"
#include "pins.hpp"
#include "ring.hpp"

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

// Frames of clients, each of which sends its next one `think` after the answer to the one before has come.
struct ClientBlock {
    const uint8_t *bytes;
    const int64_t *offsets;
    const int32_t *lengths;
    const int64_t *next;       // of each frame, the next one of its client; -1 if there is none
    const int64_t *first;      // of each client, its first frame; -1 if it has none
    const int32_t *client_of;  // by source port of the answer, of which there are kPorts; -1: of none
    int64_t *delivered;        // written as in FrameBlock
    int64_t clients;
    Time start, think, mac;    // when all hand their first frames to the wire; both ways a MAC takes `mac`
};
constexpr int kPorts = 1 << 16;
constexpr int kLongestOfClient = 1514;  // bytes: by its MACs alone, its first beat is far behind what it waited for

// Plays frames to the NIC: beats without gaps, the last one at the first edge at or after the frame's time.
class FrameSource {
  public:
    int64_t frames_done = 0;

    void add(const FrameBlock &block) {
        if (!block.count) return;
        blocks_.push_back(block);
        if (next_cycle_ == kNever) schedule();
    }
    // Instead of blocks of frames, whose times are known: clients.
    void open(const ClientBlock &clients, const LinkParameters &link) {
        clients_ = clients, link_ = link;
        outstanding_.assign(clients.first, clients.first + clients.clients);
        for (const int64_t frame : outstanding_) hand_over(frame, clients.start);
    }
    // A frame of `length` bytes left the NIC at `time`: its client may go on.
    void answered(const uint8_t *bytes, int64_t length, Time time) {
        constexpr int kSourcePort = 34;  // in a UDP frame without IP options
        if (outstanding_.empty() || length < kSourcePort + 2) return;
        const int32_t client = clients_.client_of[bytes[kSourcePort] << 8 | bytes[kSourcePort + 1]];
        if (client < 0 || outstanding_[client] < 0) return;
        outstanding_[client] = clients_.next[outstanding_[client]];
        hand_over(outstanding_[client], time + clients_.mac + clients_.think);
    }
    // No frame begins at `time` or later.
    void end(Time time) {
        end_ = time;
        if (beat_ == 0 && next_cycle_ != kNever && next_cycle_ * kPeriod >= end_) next_cycle_ = kNever;
    }
    // Cycle of the first beat of a frame that would be next.
    int64_t first_cycle_of(Time time, int32_t length) const {
        const int64_t beats = beats_of(length);
        return std::max(first_cycle_at(time), last_cycle_ + beats) - beats + 1;
    }
    // Cycle of the next beat.
    int64_t next_cycle() const { return next_cycle_; }

    void next_beat(Word *pins) {
        const int32_t from = beat_ * kLineBytes;
        const bool last = frame_.length - from <= kLineBytes;
        set_ethernet_rx(pins, frame_.bytes + from, last ? frame_.length - from : kLineBytes, last, last && frame_.error);
        beat_++, next_cycle_++;
        if (!last) return;
        *frame_.delivered = last_cycle_ * kPeriod;
        frames_done++;
        schedule();
    }

  private:
    struct Frame {
        const uint8_t *bytes;
        int32_t length;
        bool error;
        int64_t *delivered;
        Time time;
    };

    static int64_t beats_of(int32_t length) { return (length + kLineBytes - 1) / kLineBytes; }

    // A client gives a frame to the wire, which takes one at a time.
    void hand_over(int64_t frame, Time at) {
        if (frame < 0) return;
        const int32_t length = clients_.lengths[frame];
        const Time wire = sending_time((length + link_.wire_overhead_bytes) * 8, link_.wire_bits_per_second);
        const Time time = wire_.serve(at, wire) + clients_.mac;
        waiting_.push() = {clients_.bytes + clients_.offsets[frame], length, false, clients_.delivered + frame, time};
        if (next_cycle_ == kNever) schedule();
    }

    bool take() {
        if (!waiting_.empty()) {
            frame_ = waiting_.front();
            waiting_.pop();
            return true;
        }
        while (block_ < blocks_.size() && taken_ == blocks_[block_].count) block_++, taken_ = 0;
        if (block_ == blocks_.size()) return false;
        const FrameBlock &block = blocks_[block_];
        frame_ = {block.bytes + block.offsets[taken_], block.lengths[taken_], block.errors[taken_] != 0,
                  block.delivered + taken_, block.times[taken_]};
        taken_++;
        return true;
    }

    void schedule() {
        next_cycle_ = kNever;
        if (!take()) return;
        next_cycle_ = first_cycle_of(frame_.time, frame_.length);
        last_cycle_ = next_cycle_ + beats_of(frame_.length) - 1;
        beat_ = 0;
        if (next_cycle_ * kPeriod >= end_) next_cycle_ = kNever;
    }

    std::vector<FrameBlock> blocks_;
    size_t block_ = 0;
    int64_t taken_ = 0;  // of the block
    ClientBlock clients_{};
    LinkParameters link_{};
    std::vector<int64_t> outstanding_;  // of each client, its frame that is on its way; -1: it has no more
    Ring<Frame> waiting_;               // of clients, in the order of their times
    Server wire_;
    Time end_ = kNever;
    Frame frame_{};
    int64_t last_cycle_ = 0, next_cycle_ = kNever;
    int32_t beat_ = 0;
};

// Keeps the frames that the NIC sent: their bytes in a file without a name, because they may be more than memory holds.
class FrameSink {
  public:
    std::vector<int64_t> ends, times;  // of each frame: end in the file, time of the edge of its last beat

    // In the working folder.
    bool open() {
        const int file = ::open(".", O_TMPFILE | O_RDWR, 0600);
        file_ = file < 0 ? std::tmpfile() : fdopen(file, "w+b");
        return file_;
    }
    // Whether the beat was the last one of a frame.
    bool add(const EthernetTxPins &beat, Time time) {
        const auto *data = reinterpret_cast<const uint8_t *>(beat.words);
        if (is_over_) frame_.clear();
        frame_.insert(frame_.end(), data, data + beat.bytes());
        is_over_ = beat.last();
        if (!is_over_) return false;
        if (std::fwrite(frame_.data(), 1, frame_.size(), file_) != frame_.size()) is_full_ = true;
        ends.push_back((ends.empty() ? 0 : ends.back()) + last_length());
        times.push_back(time);
        return true;
    }
    // The file, with all that was added; -1 if it could not be written.
    int file() {
        if (std::fflush(file_) || is_full_) return -1;
        return fileno(file_);
    }
    const uint8_t *last_frame() const { return frame_.data(); }
    int64_t last_length() const { return static_cast<int64_t>(frame_.size()); }
    // Frames up to `time`.
    int64_t count_up_to(Time time) const {
        return std::upper_bound(times.begin(), times.end(), time) - times.begin();
    }

  private:
    std::FILE *file_ = nullptr;
    std::vector<uint8_t> frame_;  // the last one, or what there is of it
    bool is_over_ = true, is_full_ = false;
};
