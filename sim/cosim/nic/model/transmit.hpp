// The TX path: from tail writes to the beats on the wire, and config requests (transmit.py, configurator.py).
#pragma once
#include "door.hpp"
#include "guard.hpp"
#include "packetiser.hpp"

class Transmit {
  public:
    TxFetch fetch;
    TxRequests requests;
    TxFrameBuffer frames;
    TimestampSetting timestamp;
    ReadRequest request;  // shown to the host
    bool request_valid = false;

    void configure(const NicParameters &parameters) {
        fetch.configure(parameters), requests.configure(parameters), packetiser_.configure(parameters);
        frames.configure(parameters);
        slots_.configure(parameters.request_tags, kFirstRequestTag, parameters.read_timeout_cycles);
        data_.configure(parameters.data_tags, 0, parameters.read_timeout_cycles);
        flow_cycles_ = parameters.flow_insert - kConfigured;
    }
    // After a reset: which answers of the host may still come.
    void inherit(const Transmit &before, Cycle until) {
        slots_.inherit(before.slots_, until), data_.inherit(before.data_, until);
    }
    // To be called when a cycle begins.
    void begin() { requests.begin(), slots_.begin(), data_.begin(); }
    struct Taken {
        bool request, beat;  // by the host, by the wire
    };
    // `access`: a register access that waits, or null; whether it was accepted.
    bool step(Cycle now, const Taken &taken, const Word *completion, const Access *access, int64_t max_read, Door &door,
              Guard &guard, ExtensionPage &page) {
        const bool frames_have_room = frames.ready(), slots_were_free = !fetch.offers_slots();
        const std::optional<UnfinishedFrame> rewind = packetiser_.rewind;
        const bool can_take = !request_valid || taken.request;
        const bool takes_slots = can_take && slots_.request_valid, takes_data = can_take && !takes_slots && data_.request_valid;
        if (request_valid && taken.request) reader_of(request.tag).sent(request.tag, now);
        if (can_take) {
            request_valid = takes_slots || takes_data;
            if (request_valid) request = takes_slots ? slots_.request : data_.request;
        }
        frames.step(now, taken.beat, timestamp, page);
        const ReadLine *line = data_.line_valid ? &data_.line : nullptr;
        const bool line_taken = packetiser_.step(now, frames_have_room, line, frames, requests, page);
        data_.show(now, line_taken, page);
        if (data_.ask(now, takes_data, max_read) && requests.offers_job(now)) data_.take_job(requests.take_job());
        const bool slot_taken = slots_.line_valid && take_slot(now, door, guard, page);
        slots_.show(now, slot_taken, page);
        if (slots_.ask(now, takes_slots, max_read) && !slots_were_free) {
            slots_.take_job(fetch.slots());
            fetch.slots_taken();
        }
        if (completion) reader_of(static_cast<int>(completion[16] & 255)).arrive(completion);
        if (rewind) requests.rewind(*rewind), data_.cancel();
        return fetch.step(now, access, slots_were_free, page.notification_ring);
    }
    Cycle next(Cycle now) const {
        if (request_valid || slots_.is_active() || data_.is_active() || packetiser_.is_active() || fetch.offers_slots())
            return now + 1;
        const Cycle reads = std::max(now + 1, std::min(slots_.deadline(), data_.deadline()));
        return std::min({reads, fetch.next(now), requests.next(now), frames.next(now)});
    }

  private:
    static constexpr int kFirstRequestTag = 128;
    static constexpr Cycle kConfigured = 9;  // from a slot's line to the completion of a setting
    static constexpr Cycle kToAsk = 2;       // from a flow operation to its question to the table
    static constexpr int kLastStampOffset = 60;

    OrderedReader &reader_of(int tag) { return tag >= kFirstRequestTag ? slots_ : data_; }

    // Whether the slot that is shown leaves in this cycle.
    bool take_slot(Cycle now, Door &door, Guard &guard, ExtensionPage &page) {
        bool forbidden = false;
        if (!guard.passes(slots_.line, now, page, forbidden) || !requests.has_room()) return false;
        int code = forbidden ? kForbidden : kDone;
        if (!forbidden && TxRequests::is_config(slots_.line) && !configure_nic(now, door, page, code)) return false;
        requests.add(slots_.line, code, now);
        guard.taken(slots_.line, now, page);
        return true;
    }
    // Whether the config request has taken effect.
    bool configure_nic(Cycle now, Door &door, ExtensionPage &page, int &code) {
        const uint8_t *slot = slots_.line.data;
        const auto word = [&](int index) {
            uint64_t value;
            std::memcpy(&value, slot + 8 * index, 8);
            return value;
        };
        const uint64_t first = word(2), second = word(3);
        const bool enable = first >> 63;
        switch (word(1)) {
            case 1: return change_rule(FlowOperation::kInsert, now, door, page, code);
            case 0x100: return change_rule(FlowOperation::kDelete, now, door, page, code);
            case 0x101: return change_rule(FlowOperation::kStatus, now, door, page, code);
            case 2:
                timestamp = {enable, static_cast<int>(std::min<uint64_t>(second, kLastStampOffset))};
                break;
            case 3: frames.limiter.set(enable, first >> 16 & 0xffff, first & 0xffff, now); break;
            case 4:
                door.settle(now - 1);
                door.set_fallback({(first & 0xffffffff) != 0, (second >> 63) != 0, static_cast<uint32_t>(first >> 32) & 0x1fff});
                break;
            default: code = kUnknown;
        }
        return true;
    }
    bool change_rule(FlowOperation kind, Cycle now, Door &door, ExtensionPage &page, int &code) {
        if (!rule_done_) {
            const uint8_t *body = slots_.line.data + 16;
            FlowRule rule;
            std::memcpy(&rule.key.destination_port, body, 2), std::memcpy(&rule.key.source_port, body + 2, 2);
            std::memcpy(&rule.key.destination_address, body + 4, 4), std::memcpy(&rule.key.source_address, body + 8, 4);
            std::memcpy(&rule.pipe, body + 16, 4);
            rule.pipe &= kRegisterPipes - 1;
            outcome_ = door.table.ask(kind, rule);
            rule_done_ = now + flow_cycles_ + outcome_.cycles;
            asks_ = now + kToAsk, asks_left_ = outcome_.asks;
        }
        if (now == asks_) {  // in a gap between frames
            if (door.enters_director(now)) asks_++, rule_done_++;
            else if (--asks_left_) asks_ += FlowTable::kCandidate;
        }
        if (now < rule_done_) return false;
        rule_done_ = 0;
        door.settle(now - 1);
        door.table.write();
        code = outcome_.code;
        if (code == FlowTable::kTableFull) page.count(kFlowInsertsFailed, now + 1);
        return true;
    }

    OrderedReader slots_, data_;
    Packetiser packetiser_;
    Cycle flow_cycles_ = 0, rule_done_ = 0, asks_ = 0;
    int asks_left_ = 0;
    FlowTable::Outcome outcome_{};
};
