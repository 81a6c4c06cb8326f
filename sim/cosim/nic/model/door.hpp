// The way of a frame up to the pipe manager: rx_parser.py, packet_buffer.py, flow_director.py.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "flow_table.hpp"
#include "frame.hpp"
#include "commands.hpp"
#include "registers.hpp"

// What is known of an admitted frame.
struct AdmittedFrame {
    FlowKey key;
    int length, end, refusal;
    uint64_t arrival;
    Cycle looked_up;  // when its rule counts
};

// Admitted frames, in a ring of flits as in packet_buffer.py.
class FlitBuffer {
  public:
    void configure(const NicParameters &parameters) {
        depth_ = static_cast<uint32_t>(parameters.packet_buffer_flits);
        longest_ = static_cast<uint32_t>(parameters.maximum_frame_flits());
        bytes_.assign(static_cast<size_t>(depth_) * kLineBytes, 0);
    }
    bool has_room() const { return depth_ - (end_ - begin_) >= longest_; }
    void add(const uint8_t *flit) { std::memcpy(place(end_++), flit, kLineBytes); }
    void commit() { frame_ = end_; }
    void roll_back() { end_ = frame_; }
    const uint8_t *oldest() { return place(begin_); }
    void take(uint32_t flits) { begin_ += flits; }

  private:
    uint8_t *place(uint32_t index) { return bytes_.data() + static_cast<size_t>(index & (depth_ - 1)) * kLineBytes; }
    uint32_t depth_ = 1, longest_ = 1, begin_ = 0, end_ = 0, frame_ = 0;
    std::vector<uint8_t> bytes_;
};

struct Fallback {
    bool enable = false, round_robin = false;
    uint32_t mask = 0;
};

// The door: what becomes of each frame by its last beat, and which pipe it goes to.
class Door {
  public:
    FlitBuffer flits;
    FlowTable table;

    void configure(const NicParameters &parameters) {
        flits.configure(parameters), table.configure(parameters.flow_entries);
        longest_ = static_cast<int>(parameters.maximum_frame), longest_flits_ = parameters.maximum_frame_flits();
        to_manager_ = parameters.frame_to_write - kStagesCycles;
    }
    void beat(const Word *pins, Cycle now, bool is_open, const TimestampSetting &timestamp, ExtensionPage &page) {
        uint8_t flit[kLineBytes];
        std::memcpy(flit, pins, kLineBytes);
        const int count = __builtin_popcountll(two_words(pins + 16));
        const bool last = pins[18] & 1, bad = pins[18] >> 1 & 1;
        if (is_first_) begin(flit, count, now, is_open, timestamp, page);
        if (is_admissible_ && index_ < longest_flits_) flits.add(flit);
        const int length = static_cast<int>(index_) * kLineBytes + count;
        index_ += index_ < 255;
        is_first_ = last;
        if (last) end(length, bad, now, page);
    }
    // Where a frame begins outlives a reset, which cuts off the frame that it meets.
    bool is_at_start() const { return is_first_; }
    void begin_at(bool is_first) { is_first_ = is_first, in_reset_ = true, is_admissible_ = false; }
    bool ready(Cycle now) const { return frames_.ready(now); }
    Cycle next() const { return frames_.next(); }
    struct Steered {
        AdmittedFrame frame;
        int pipe;
        uint32_t hash;
        bool miss;
    };
    Steered take() {
        if (!steered_) steer();
        const Steered steered = frames_.front();
        frames_.pop();
        steered_--;
        return steered;
    }
    bool has_frames() const { return !frames_.empty(); }
    // Whether a frame enters the flow director in this cycle, so that no operation does.
    bool enters_director(Cycle now) const {
        return std::any_of(ends_.begin(), ends_.end(), [&](Cycle end) { return end == now - kToDirector; });
    }
    // Rules or the fallback change after this cycle: frames that met the old ones keep to them.
    void settle(Cycle now) {
        while (steered_ < frames_.size() && frames_[steered_].frame.looked_up <= now) steer();
    }
    void set_fallback(const Fallback &fallback) { fallback_ = fallback; }

  private:
    static constexpr Cycle kToCount = 3, kToDirector = 2, kToLookup = 6;  // from the last beat, to the read of the sub-tables

    void begin(uint8_t *flit, int count, Cycle now, bool is_open, const TimestampSetting &timestamp,
               const ExtensionPage &page) {
        arrival_ = static_cast<uint64_t>(now) * 4 / 5;
        if (timestamp.enable) stamp(flit, count, timestamp);
        header_ = IpHeader(flit, count, page.accept_ipv6, page.full_tuple, timestamp);
        in_reset_ = !is_open, has_room_ = flits.has_room();
        is_admissible_ = is_open && has_room_;
        index_ = 0;
    }
    // What was sent becomes what passed since; bytes beyond the frame count as 0.
    void stamp(uint8_t *flit, int count, const TimestampSetting &timestamp) const {
        uint32_t sent = 0;
        for (int i = 0; i < 4; i++) {
            const int at = timestamp.offset + i;
            sent = sent << 8 | (at < count ? flit[at] : 0);
        }
        timestamp.put(flit, static_cast<uint32_t>(arrival_) - sent);
    }
    void end(int length, bool bad, Cycle now, ExtensionPage &page) {
        page.count(kRxFrames, now + kToCount);
        const int cause = in_reset_ ? kInReset : bad ? kBadFrame : length > longest_ ? kTooLong
                        : has_room_ ? kNone : kPacketBufferFull;
        if (cause != kNone) {
            flits.roll_back();
            return page.drop(cause, now + kToCount);
        }
        page.count(kRxAdmitted, now + kToCount);
        flits.commit();
        ends_ = {now, ends_[0], ends_[1]};
        AdmittedFrame &frame = frames_.push(now + to_manager_).frame;
        frame.refusal = header_.refusal(length);
        frame.key = frame.refusal == kNone && !header_.is_ipv6 ? header_.key : FlowKey{};
        frame.length = length, frame.end = header_.end, frame.arrival = arrival_, frame.looked_up = now + kToLookup;
    }
    void steer() {
        Steered &steered = frames_[steered_++];
        const FlowRule *rule = table.find(steered.frame.key);
        steered.hash = flow_hash(steered.frame.key, 0);
        steered.miss = !rule && !fallback_.enable;
        if (rule) steered.pipe = rule->pipe;
        else steered.pipe = static_cast<int>((fallback_.round_robin ? turn_ : steered.hash) & fallback_.mask);
        if (!rule && fallback_.enable && fallback_.round_robin) turn_++;
    }

    int longest_ = 0;
    int64_t longest_flits_ = 0, index_ = 0;
    Cycle to_manager_ = 0;
    bool is_first_ = true, in_reset_ = false, has_room_ = false, is_admissible_ = false;
    uint64_t arrival_ = 0;
    static constexpr uint8_t kNoFlit[kLineBytes] = {};
    IpHeader header_{kNoFlit, 0, false, false, {}};
    Fallback fallback_;
    uint32_t turn_ = 0;
    std::array<Cycle, 3> ends_{-9, -9, -9};  // of the latest admitted frames
    size_t steered_ = 0;  // of the frames, those whose pipe is known
    DelayQueue<Steered> frames_;
};

