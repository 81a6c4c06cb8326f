// The data of TX requests, cut into frames: packetiser.py.
#pragma once
#include <optional>

#include "tx_frames.hpp"
#include "tx_requests.hpp"

class Packetiser {
  public:
    std::optional<UnfinishedFrame> rewind;  // asked for in the cycle before

    void configure(const NicParameters &parameters) {
        longest_ = static_cast<uint32_t>(parameters.maximum_frame);
        table_.assign(static_cast<size_t>(parameters.notification_buffers), {});
    }
    // `has_room`: of the frame buffer. Whether a line that is shown is taken.
    bool step(Cycle now, bool has_room, const ReadLine *line, TxFrameBuffer &frames, TxRequests &requests, ExtensionPage &page) {
        rewind.reset();
        const bool takes_decided = decided_valid_ && (!has_flit_ || has_room);
        if (takes_decided) {
            if (has_flit_) frames.put(flit_, now);
            if (has_result_) requests.done(result_, now);
        }
        const bool can_decide = measured_valid_ && (!decided_valid_ || takes_decided);
        if (takes_decided) decided_valid_ = false;
        const bool was_epoch = epoch_;
        bool writes = false, decides = false;
        if (measured_valid_) {
            const bool has_data = is_request() || is_fragment();
            const UnfinishedFrame &row = row_;
            if (has_data && measured_.first && inside_ && measured_.buffer != owner_) {  // it waits a cycle
                table_[static_cast<size_t>(owner_)] = frame_;
                inside_ = false, frame_.held = 0, writes = true;
            } else if (can_decide && is_request() && measured_.first && !inside_ && row.held) {
                epoch_ = !epoch_, rewind = row, measured_valid_ = false;
                return line && line->epoch != was_epoch;
            } else if (can_decide) {
                decides = true, decided_valid_ = true, measured_valid_ = false;
                writes = decide(now, page);
            }
        }
        if (!line) return false;
        if (line->epoch != was_epoch) return true;
        if ((measured_valid_ && !decides) || writes) return false;
        measure(*line);
        return true;
    }
    bool is_active() const { return measured_valid_ || decided_valid_ || rewind; }

  private:
    static constexpr uint32_t kMinimumFrame = 60, kEthernet = 14, kIpv6Header = 40, kMinimumIp = 20;
    struct Measured {
        uint8_t data[kLineBytes];
        ReadKind kind;
        uint64_t address;
        uint32_t available, frame_bytes;
        int buffer;
        bool first, last, error, framed, unsendable;
    };

    bool is_request() const { return measured_.kind == ReadKind::kRequest; }
    bool is_fragment() const { return measured_.kind == ReadKind::kFragment; }

    void measure(const ReadLine &line) {
        const uint32_t rest = line.first ? line.length : later_rest_;
        later_rest_ = (rest - kLineBytes) & 0xfffff;
        std::memcpy(measured_.data, line.data, kLineBytes);
        measured_.kind = line.kind, measured_.address = line.address, measured_.buffer = line.buffer;
        measured_.available = std::min<uint32_t>(rest, kLineBytes);
        measured_.first = line.first, measured_.last = line.last, measured_.error = line.error, measured_.framed = line.framed;
        uint8_t header[20];
        for (uint32_t i = 0; i < sizeof header; i++) header[i] = rest > i ? line.data[i] : 0;
        bool is_empty = false;
        uint32_t bytes = rest;
        if (line.framed) {
            std::memcpy(&bytes, line.data, 4);
            is_empty = bytes == 0;
        } else if (network16(header + 12) == 0x0800 && header[14] >> 4 == 4) {
            const uint32_t ip = network16(header + 16);
            bytes = ip + kEthernet, is_empty = ip < kMinimumIp;
        } else if (network16(header + 12) == 0x86dd && header[14] >> 4 == 6) {
            bytes = network16(header + 18) + kEthernet + kIpv6Header;
        }
        measured_.frame_bytes = bytes & 0x3fff, measured_.unsendable = is_empty || bytes > longest_;
        row_ = table_[static_cast<size_t>(line.buffer)];
        measured_valid_ = true;
    }

    // Whether it wrote to the table.
    bool decide(Cycle now, ExtensionPage &page) {
        const bool has_data = is_request() || is_fragment(), is_mark_of_request = measured_.kind == ReadKind::kNothing;
        const bool was_inside = inside_, is_mine = inside_ && measured_.buffer == owner_;
        const int held = is_mine ? frame_.held : row_.held;
        const bool is_header = measured_.framed && !inside_;
        const uint32_t rest = inside_ ? missing_ : measured_.frame_bytes;
        const bool ends_frame = !is_header && rest <= kLineBytes;
        const uint32_t used = ends_frame ? rest : kLineBytes;
        const bool drop = !skip_ && (measured_.error || (!inside_ && measured_.unsendable) || used > measured_.available);
        const bool keep = !skip_ && !drop, stays = keep && !ends_frame && measured_.last;
        const bool is_full = held == kMostFragments;
        const bool holds = (has_data ? stays && is_request() : is_mark_of_request && held) && !is_full;
        const bool drops_unfinished = has_data ? stays && is_request() && is_full : is_full || (!is_mark_of_request && held);
        const bool is_over = (has_data && ((keep && ends_frame) || drop)) || drops_unfinished;
        if ((has_data && drop) || drops_unfinished) page.drop(kTxError, now + 1);

        flit_.first = !inside_ || !has_begun_, flit_.last = ends_frame;
        result_of(held, holds, is_over, has_data, drops_unfinished);
        put_flit(used, has_data && keep && !is_header);
        bool writes = false;
        if (has_data) {
            follow(held, holds, stays, is_over);
            inside_ = keep && !ends_frame && !drops_unfinished;
            owner_ = measured_.buffer, has_begun_ = !is_header;
            missing_ = is_header ? rest : (rest - kLineBytes) & 0x3fff;
            skip_ = (skip_ || drop) && !(is_request() && measured_.last);
            failed_ = (failed_ || (is_request() && measured_.error)) && !measured_.last;
            if (!was_inside && row_.held) table_[static_cast<size_t>(measured_.buffer)] = {}, writes = true;
        } else if (is_mine) {
            inside_ = holds, frame_.held = holds ? held + 1 : 0;
        } else if (held) {
            UnfinishedFrame &row = table_[static_cast<size_t>(measured_.buffer)];
            row = row_, row.held = holds ? held + 1 : 0, writes = true;
        }
        return writes;
    }
    // The unfinished frame's fragments.
    void follow(int held, bool holds, bool stays, bool is_over) {
        const bool begins_part = !inside_ || measured_.first;
        const uint32_t part = begins_part ? 1 : part_flits_ + 1;
        const int count = inside_ ? frame_.count : 0;
        if (begins_part) part_address_ = measured_.address;
        if (!inside_) frame_.framed = measured_.framed;
        if (stays) frame_.fragments[static_cast<size_t>(count & 3)] = {part_address_, part};
        part_flits_ = part;
        frame_.held = is_over ? 0 : held + holds, frame_.count = count + stays;
    }
    void result_of(int held, bool holds, bool is_over, bool has_data, bool drops_unfinished) {
        TxResult now = before_;
        now.held = holds, now.place = held & 3;
        now.code = failed_ || measured_.error ? kReadError : kDone;
        if (is_over && held) {
            now.released = held;
            now.released_code = drops_unfinished ? kUnfinished : is_fragment() && measured_.error ? kReadError : kDone;
        }
        if (has_data && drops_unfinished) now.code = kUnfinished;
        has_result_ = measured_.last && !is_fragment();
        result_ = now;
        before_ = has_result_ ? TxResult{} : now;
    }
    void put_flit(uint32_t used, bool has_flit) {
        has_flit_ = has_flit;
        if (!has_flit) return;
        std::memcpy(flit_.data, measured_.data, kLineBytes);
        if (used < kLineBytes) std::memset(flit_.data + used, 0, kLineBytes - used);
        flit_.bytes = static_cast<int>(flit_.first && flit_.last ? std::max(used, kMinimumFrame) : used);
    }

    uint32_t longest_ = 0, later_rest_ = 0;
    bool measured_valid_ = false, decided_valid_ = false, has_flit_ = false, has_result_ = false, epoch_ = false;
    Measured measured_{};
    UnfinishedFrame row_, frame_;
    std::vector<UnfinishedFrame> table_;
    TxFlit flit_;
    TxResult result_, before_;
    bool inside_ = false, has_begun_ = false, skip_ = false, failed_ = false;
    int owner_ = 0;
    uint32_t missing_ = 0, part_flits_ = 0;
    uint64_t part_address_ = 0;
};
