// One bridge: moves transfers between the NIC's pins, the link model and software.
//
// Cycle n's rising edge is at 4000 n ps. A call at edge n sees the transfers of that edge and decides the pins of edge
// n + 1, so it may only happen once everything is known that reaches the NIC up to then.
#pragma once
#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

#include "host.hpp"
#include "link.hpp"
#include "pins.hpp"
#include "wire.hpp"

constexpr int64_t kStuckCycles = 1 << 20;  // busy for so long without a transfer
constexpr int64_t kEffects = 1 << 16;
constexpr int kMmioTags = 256;
constexpr uint64_t kMmioBytes = uint64_t{1} << 27;

// Words of the block that Python shares; STATUS in bridge.py lists the same.
enum Status { kSafe, kNextChange, kEffectCount, kCycle, kBound, kFramesDelivered, kFramesSent, kFailed, kStatusWords };

struct Effect {
    uint64_t time, source, value;
};

struct Bridge {
    LinkParameters link{};
    Draws draws;
    HostSide host;
    FrameSource source;
    FrameSink sink;
    Server up, mac;
    Time up_backlog = 0, mac_backlog = 0;  // at which ready goes low
    int64_t lookahead = 0;                 // cycles per run; 0: as many as are exact
    bool skip_idle = true, is_open = false;

    int64_t status[kStatusWords]{};
    std::vector<Effect> effects = std::vector<Effect>(kEffects);
    std::string error;

    int64_t cycle = -1;           // of the last edge that has passed
    int64_t last_cycle = -1;      // the edge at which this run ends
    int64_t run_from = -1;        // the edge at which it began
    int64_t next_input = 0;       // by when bridge_edge must be called for the NIC to get its inputs
    int64_t moved_in_cycle = 0;   // last transfer
    bool completion_driven = false, mmio_driven = false;
    int completion = -1;          // the TLP whose lines are being delivered
    int completion_line = 0;
    Word rx_pins[kEthernetWords]{}, completion_pins[kReadCompletionWords]{}, mmio_pins[kMmioRequestWords]{};
    Word ready_flags = 0, valid_flags = 0;

    // the write whose beats are coming
    uint64_t write_address = 0;
    int write_flits = 0, write_beats = 0;
    uint8_t write_data[kMaxTlpBytes];

    int32_t mmio_sources[kMmioTags];
    unsigned next_mmio_tag = 0;
    Time promised = 0;  // software does nothing before
    Time last_now = 0;  // of software

    std::FILE *record = nullptr, *transfers = nullptr;  // of the NIC's pins, and of what it sends
    TransferHash hash;
    int64_t skipped = 0, wakes = 0, calls = 0, up_bytes = 0;
    // transfers on each port but ethernet_rx, whose frames the source counts
    int64_t to_host_beats = 0, read_request_beats = 0, read_completion_beats = 0, mmio_request_beats = 0;
    int64_t ethernet_tx_beats = 0;

    // --- time ---

    // Host time before which software does nothing.
    Time silent() const {
        const Time effect = status[kEffectCount] ? static_cast<Time>(effects[0].time) : kNever;
        return std::min<Time>(status[kBound], effect);
    }
    // Host time up to which everything that the NIC did is known: its next TLP takes a cycle and the way up.
    Time safe() const { return (cycle + 1) * kPeriod + link.propagation_up_ps; }
    // Last edge whose call needs nothing that software may still do.
    int64_t last_exact_cycle() const { return (silent() + link.propagation_down_ps) / kPeriod - 1; }

    void fail(const char *format, ...) __attribute__((format(printf, 2, 3))) {
        if (!error.empty()) return;
        char text[400];
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        error = text;
    }

    // --- the way up ---

    Time send_up(int bytes) {
        const int64_t all = bytes + link.overhead_bytes;
        up_bytes += all;
        return up.serve(cycle * kPeriod, sending_time(all, link.bytes_per_second)) + link.propagation_up_ps;
    }

    void add_effect(Time time, int32_t from, uint64_t value) {
        if (status[kEffectCount] == kEffects) return fail("%ld effects wait for software", kEffects);
        effects[status[kEffectCount]++] = {static_cast<uint64_t>(time), static_cast<uint64_t>(from), value};
    }

    void transfer(TransferHash::Port port, int64_t at, const Word *words, int count) {
        cycle = moved_in_cycle = at;
        calls++;
        if (record) hash.add(port, static_cast<uint64_t>(at), words, count);
        if (!transfers) return;
        RecordedTransfer kept{static_cast<uint64_t>(at), static_cast<Word>(port), {}};
        std::memcpy(kept.words, words, static_cast<size_t>(count) * sizeof(Word));
        std::fwrite(&kept, sizeof kept, 1, transfers);
    }

    void to_host(int64_t at, const Word *words) {
        transfer(TransferHash::kToHost, at, words, kHostWriteWords);
        to_host_beats++;
        const HostWritePins beat{words};
        const bool inside = write_beats < write_flits;
        if (inside == (beat.first() || beat.is_mmio_response()))
            return fail("cycle %ld: a beat with first=%d kind=%d, after %d of %d beats of a write", cycle, beat.first(),
                        beat.is_mmio_response(), write_beats, write_flits);
        if (beat.is_mmio_response()) {
            const int32_t from = mmio_sources[beat.tag()];
            if (from < 0) return fail("cycle %ld: the NIC answers MMIO tag %d, which waits for none", cycle, beat.tag());
            mmio_sources[beat.tag()] = -1;
            return add_effect(send_up(8), from, two_words(words));
        }
        if (beat.first()) {
            const uint64_t address = beat.byte_address();
            const int64_t end = static_cast<int64_t>(address % link.max_payload_bytes) + beat.flits() * kLineBytes;
            if (beat.flits() < 1 || end > link.max_payload_bytes)
                return fail("cycle %ld: a write of %d flits at %#lx; accepted are 1 up to the next multiple of %ld bytes",
                            cycle, beat.flits(), address, link.max_payload_bytes);
            write_address = address, write_flits = beat.flits(), write_beats = 0;
        }
        std::memcpy(write_data + write_beats++ * kLineBytes, words, kLineBytes);
        if (beat.last() != (write_beats == write_flits))
            return fail("cycle %ld: beat %d of a write of %d flits has last=%d", cycle, write_beats, write_flits, beat.last());
        if (!beat.last()) return;
        const Time time = send_up(write_flits * kLineBytes);
        host.write(time, write_address, write_flits, write_data, silent());
        const int32_t from = host.memory.source(write_address);
        if (from >= 0) add_effect(time, from, write_address);
    }

    void read_request(int64_t at, const Word *words) {
        transfer(TransferHash::kReadRequest, at, words, kReadRequestWords);
        read_request_beats++;
        const ReadRequestPins request{words};
        const uint64_t address = request.byte_address();
        const int flits = request.flits();
        const int64_t end = static_cast<int64_t>(address % link.max_read_bytes) + flits * kLineBytes;
        if (flits < 1 || end > link.max_read_bytes)
            return fail("cycle %ld: a read of %d flits at %#lx; accepted are 1 up to the next multiple of %ld bytes", cycle,
                        flits, address, link.max_read_bytes);
        host.read(send_up(0), address, flits, request.tag());
    }

    void ethernet_tx(int64_t at, const Word *words) {
        transfer(TransferHash::kEthernetTx, at, words, kEthernetWords);
        ethernet_tx_beats++;
        const EthernetTxPins beat{words};
        if (sink.add(beat, cycle * kPeriod)) source.answered(sink.last_frame(), sink.last_length(), cycle * kPeriod);
        const int64_t bytes = beat.bytes() + (beat.last() ? link.wire_overhead_bytes : 0);
        mac.serve(cycle * kPeriod, sending_time(bytes * 8, link.wire_bits_per_second));
    }

    // --- the pins of the next edge ---

    int edge(int64_t at, int nic, int64_t &next_call) {
        cycle = at;
        if (record) record_pins();
        const bool completion_accepted = nic & 1, mmio_accepted = nic & 2;
        status[kCycle] = cycle;
        host.process(std::min(silent(), safe()));
        const int64_t next = cycle + 1;
        const Time now = next * kPeriod;
        int flags = 0;
        if (completion_accepted || mmio_accepted || nic & 32) moved_in_cycle = cycle;  // bit 5: quiescent

        if (source.next_cycle() == next) {
            source.next_beat(rx_pins);
            flags |= 1 | 8;
            moved_in_cycle = cycle;
        }
        if (completion_accepted) completion_driven = false, read_completion_beats++;
        if (!completion_driven && next_completion_line(now)) completion_driven = true, flags |= 16;
        if (completion_driven) flags |= 2;
        if (mmio_accepted) mmio_driven = false, mmio_request_beats++;
        if (!mmio_driven && !host.mmio.empty() && host.mmio.front().at <= now) {
            host.mmio.front().request.set(mmio_pins);
            host.mmio.pop();
            mmio_driven = true, flags |= 32;
        }
        if (mmio_driven) flags |= 4;

        ready_flags = ready(next);
        flags |= static_cast<int>(ready_flags) << 6;
        valid_flags = flags & 7;
        status[kFramesDelivered] = source.frames_done;
        status[kFramesSent] = static_cast<int64_t>(sink.times.size());

        if (cycle - moved_in_cycle >= kStuckCycles)
            fail("cycle %ld: the NIC has been busy for %ld cycles, and nothing moved; it drives to_host=%d read_request=%d "
                 "ethernet_tx=%d, and is offered completion=%d mmio=%d",
                 cycle, kStuckCycles, nic >> 2 & 1, nic >> 3 & 1, nic >> 4 & 1, completion_driven, mmio_driven);
        limit_run();
        if (cycle >= last_cycle || !error.empty()) {
            flags |= 512;
            stop();
        }
        next_call = plan();
        calls++;
        return flags;
    }

    // Puts the next line that is at the NIC by `now` on the pins.
    bool next_completion_line(Time now) {
        if (completion < 0) {
            if (host.completions.empty() || host.completions.front().at > now) return false;
            completion = host.completions.front().completion;
            completion_line = 0;
            host.completions.pop();
        }
        const Completion &answer = host.completion(completion);
        static constexpr uint8_t kNothing[kLineBytes] = {};
        const bool last_line = completion_line + 1 >= answer.flits;
        set_completion(completion_pins, answer.flits ? answer.data + completion_line * kLineBytes : kNothing, answer.tag,
                       answer.first_index + completion_line, answer.last && last_line, answer.error);
        completion_line++;
        if (last_line) {
            host.release(completion);
            completion = -1;
        }
        return true;
    }

    // Bits 0, 1, 2: to_host, read_request, TX are ready in cycle `at`.
    Word ready(int64_t at) const {
        const bool room = up.down_to(up_backlog) <= at * kPeriod;
        const auto stalls = [&](int64_t percent, Draws::Purpose purpose) {
            return percent && draws.below(100, purpose, static_cast<uint64_t>(at)) < percent;
        };
        const bool to_host = room && !stalls(link.to_host_stall_percent, Draws::kToHostReady);
        const bool reads = room && !stalls(link.to_host_stall_percent, Draws::kReadRequestReady);
        const bool tx = mac.down_to(mac_backlog) <= at * kPeriod && !stalls(link.tx_stall_percent, Draws::kTxReady);
        return to_host | reads << 1 | tx << 2;
    }

    void limit_run() {
        promised = silent();
        last_cycle = last_exact_cycle();
        if (lookahead) last_cycle = std::min(last_cycle, run_from + lookahead);
    }

    // The cycle in which bridge_edge must be called next, and the one before which nothing reaches the NIC.
    int64_t plan() {
        next_input = std::min(last_cycle, source.next_cycle() - 1);
        const auto by = [&](Time time) { next_input = std::min(next_input, first_cycle_at(time) - 1); };
        if (completion >= 0) by(0);
        if (!host.completions.empty()) by(host.completions.front().at);
        if (!host.mmio.empty()) by(host.mmio.front().at);
        const Time down = host.next_down();
        if (down != kNever) by(down + link.propagation_down_ps);
        next_input = std::max(next_input, cycle + 1);

        int64_t call = std::min(next_input, moved_in_cycle + kStuckCycles);
        if (record || link.to_host_stall_percent || link.tx_stall_percent) call = 0;
        if (~ready_flags & 3) call = std::min(call, first_cycle_at(up.down_to(up_backlog)) - 1);
        if (~ready_flags & 4) call = std::min(call, first_cycle_at(mac.down_to(mac_backlog)) - 1);
        return std::max(call, cycle + 1);
    }

    void stop() {
        status[kSafe] = safe();
        status[kNextChange] = host.next_change();
        status[kFailed] = !error.empty();
        wakes++;
    }

    bool resume(int64_t &next_call) {
        if (!error.empty()) return false;
        run_from = cycle;
        limit_run();
        if (last_cycle <= cycle) return false;
        next_call = plan();
        return true;
    }

    int64_t next_cycle(int64_t at, uint64_t wake_at) {
        cycle = at;
        if (!skip_idle) return cycle + 1;
        const auto input = static_cast<uint64_t>(next_input);
        const int64_t next = std::max<int64_t>(cycle + 1, static_cast<int64_t>(std::min(input, wake_at)));
        skipped += next - cycle - 1;
        return next;
    }

    // --- software ---

    void open(const LinkParameters &parameters, int64_t cycles_per_run, bool skip) {
        link = parameters, lookahead = cycles_per_run, skip_idle = skip, is_open = true;
        draws = Draws(link.seed);
        host.configure(link);
        up_backlog = sending_time(link.up_queue_bytes, link.bytes_per_second);
        mac_backlog = sending_time(link.tx_fifo_bytes * 8, link.wire_bits_per_second);
        std::fill(mmio_sources, mmio_sources + kMmioTags, -1);
        status[kSafe] = safe();
        status[kNextChange] = kNever;
    }

    // Whether software may act at `now`: not before what it promised, and not beyond what is known of the NIC.
    bool acts(Time now, const char *what) {
        const Time from = std::max(promised, last_now), to = status[kSafe];
        if (now >= from && now <= to) {
            last_now = now;
            return true;
        }
        fail("%s at %ld ps; by what it promised and saw, software may act from %ld to %ld ps", what, now, from, to);
        return false;
    }

    bool mmio_write(Time now, uint64_t address, uint64_t value, int size) {
        if (size != 4 && size != 8) {
            fail("MMIO write of %d bytes; accepted are 4 and 8", size);
            return false;
        }
        if (!register_address(address, size) || !acts(now, "MMIO write")) return false;
        const int shift = address & 4;  // bytes
        const auto enables = static_cast<uint8_t>((size == 8 ? 0xff : 0xf) << shift);
        host.mmio_access(now, {value << 8 * shift, static_cast<uint32_t>(address >> 3), enables, 0, true}, size);
        return true;
    }

    bool mmio_read(Time now, uint64_t address, int32_t from) {
        if (!register_address(address, 8) || !acts(now, "MMIO read")) return false;
        for (int tried = 0; tried < kMmioTags; tried++) {
            const int tag = next_mmio_tag++ % kMmioTags;
            if (mmio_sources[tag] >= 0) continue;
            mmio_sources[tag] = from;
            host.mmio_access(now, {0, static_cast<uint32_t>(address >> 3), 0, static_cast<uint8_t>(tag), false}, 0);
            return true;
        }
        fail("MMIO read at %ld ps while %d others wait for their answers; accepted are %d", now, kMmioTags, kMmioTags);
        return false;
    }

    bool register_address(uint64_t address, int size) {
        if (address % size == 0 && address < kMmioBytes) return true;
        fail("MMIO access of %d bytes at %#lx; accepted are multiples of the size below %#lx", size, address, kMmioBytes);
        return false;
    }

    bool watch(uint64_t address, uint64_t bytes, int32_t from) {
        constexpr uint64_t kPage = uint64_t{1} << kPageShift;
        if (address % kPage || bytes % kPage || from < 0 || !host.memory.watch(address, bytes, from)) {
            fail("watch of %lu bytes at %#lx by source %d; accepted are whole pages of host memory, and sources from 0 up",
                 bytes, address, from);
            return false;
        }
        host.queued_writes(address, bytes, last_now, [&](Time time, uint64_t where) { add_effect(time, from, where); });
        return error.empty();
    }

    bool advance(Time now) {
        if (!acts(now, "host memory looked at")) return false;
        host.process(now);
        status[kNextChange] = host.next_change();
        return true;
    }

    // Whether a frame of this length that is whole at the NIC at `time` can still be played.
    bool is_to_come(Time time, int32_t length) {
        const int64_t first = source.first_cycle_of(time, length);
        if (first > cycle + 1) return true;
        fail("a frame's first beat in cycle %ld (delivered whole at %ld ps); accepted are cycles from %ld on", first, time,
             cycle + 2);
        return false;
    }

    void record_pins() {
        RecordedPins pins{};
        pins.cycle = static_cast<uint64_t>(cycle);
        pins.flags = valid_flags | ready_flags << 3 | (cycle == 0 ? Word{RecordedPins::kReset} : 0);
        std::memcpy(pins.rx, rx_pins, sizeof rx_pins);
        std::memcpy(pins.completion, completion_pins, sizeof completion_pins);
        std::memcpy(pins.mmio, mmio_pins, sizeof mmio_pins);
        std::fwrite(&pins, sizeof pins, 1, record);
    }
};
