// The register map (registers.py), the settings and the counters of the extension page (extension_page.py).
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "parameters.hpp"
#include "pins.hpp"

constexpr int kFirstBufferPage = 8192, kFirstExtensionPage = 9216;
constexpr int kFirstModePage = kFirstExtensionPage + 16, kFirstDropsPage = kFirstExtensionPage + 32, kTablePages = 16;
constexpr int kRegisterPipes = 8192;

enum class PipeWord : int { kIndices, kMemory, kMode, kDrops, kOther };

// One access, taken apart.
struct Access {
    bool write, is_pipe, is_buffer, is_extension, is_mode, is_drops, low, high;
    int page, word, entry, extension_word;
    uint8_t tag;
    uint64_t data;

    explicit Access(const Word *pins)
        : write(pins[3] >> 8 & 1), is_pipe(false), is_buffer(false), is_extension(false), is_mode(false), is_drops(false),
          low((pins[2] >> 24 & 15) == 15), high(pins[2] >> 28 == 15), page(static_cast<int>(pins[2] >> 9 & 0x7fff)),
          word(static_cast<int>(pins[2] & 7)), entry(static_cast<int>(pins[2] & (kRegisterPipes - 1))),
          extension_word(static_cast<int>(pins[2] & 511)), tag(static_cast<uint8_t>(pins[3])), data(two_words(pins)) {
        is_pipe = page < kFirstBufferPage;
        is_buffer = !is_pipe && page < kFirstExtensionPage;
        is_extension = page == kFirstExtensionPage;
        is_mode = page >= kFirstModePage && page < kFirstModePage + kTablePages;
        is_drops = page >= kFirstDropsPage && page < kFirstDropsPage + kTablePages;
    }
    bool is_rx() const { return is_pipe || (is_buffer && word < 2); }
    bool is_tx() const { return is_buffer && (word == 2 || word == 3); }
    int buffer() const { return page & 1023; }
    uint32_t low_half() const { return static_cast<uint32_t>(data); }
    uint32_t high_half() const { return static_cast<uint32_t>(data >> 32); }
    PipeWord pipe_word() const {
        if (is_mode) return PipeWord::kMode;
        if (is_drops) return PipeWord::kDrops;
        if (!is_pipe && !is_buffer) return PipeWord::kOther;
        return word == 0 ? PipeWord::kIndices : word == 1 ? PipeWord::kMemory : PipeWord::kOther;
    }
    // Pages without an owner must not alias those with one.
    int index() const {
        return is_pipe || is_buffer ? page : is_mode || is_drops ? entry : kFirstExtensionPage;
    }
};

// A ring's size is latched when it is enabled; its address counts as a whole.
struct RingRegisters {
    uint32_t low = 0, high = 0;
    bool enabled = false;
    uint8_t size = 0;  // 2 ** this many lines

    uint64_t address() const { return low | uint64_t{high} << 32; }
    uint32_t mask() const { return (uint32_t{1} << size) - 1; }
    void write(const Access &access, int size_now) {
        if (access.low) low = access.low_half();
        if (access.high) high = access.high_half();
        if (access.low || access.high) enabled = access.high, size = static_cast<uint8_t>(size_now);
    }
};

// In the order of the words from kFirstCounter on; drops by cause are behind kReadTimeouts, by DropCause - 1.
enum Counter : int {
    kRxFrames, kRxAdmitted, kRxPackets, kTxFrames, kNotifications, kOwedNotifications, kLostNotifications,
    kMergedHeadChecks, kLostCompletions, kFlowInsertsFailed, kReadTimeouts, kFirstDrop,
    kRefusedRings = kFirstDrop + 10, kRefusedRequests, kCounters
};

class ExtensionPage {
  public:
    int pipe_ring = 0, notification_ring = 0;  // 2 ** this many lines
    bool notify_per_packet = false, accept_ipv6 = false, full_tuple = false, guard = false, wants_reset = false;

    void configure(const NicParameters &parameters) {
        parameters_ = parameters;
        pipe_ring = log2_of(parameters.pipe_flits), notification_ring = log2_of(parameters.notification_slots);
    }
    // What happens in this cycle counts from a later one on.
    void count(int counter, Cycle from) {
        if (pending_.size() >= kMostPending) settle(from - kLatest);
        pending_.push_back({from, counter});
    }
    void drop(int cause, Cycle from) { count(kFirstDrop + cause - 1, from); }
    // The DMA guard refused this page something. Of two in a cycle the later one is told of, which is that of a ring.
    void refuse(Counter what, int page, uint64_t address, Cycle now) {
        count(what, now + 1);
        if (refused_.from != now + 1) refused_before_ = refused_;
        refused_ = {now + 1, static_cast<uint64_t>(page), address};
    }
    uint64_t read(int word, Cycle now) {
        if (word >= kFirstCounter && word < kFirstCounter + kCounters) {
            settle(now);
            return counts_[static_cast<size_t>(word - kFirstCounter)];
        }
        switch (word) {
            case 0: return kMagic;
            case 1: return kVersion;
            case 2: return kCapabilities;
            case 3: return static_cast<uint64_t>(parameters_.pipes);
            case 4: return static_cast<uint64_t>(parameters_.notification_buffers);
            case 5: return static_cast<uint64_t>(parameters_.maximum_frame);
            case 6: return static_cast<uint64_t>(parameters_.packet_buffer_flits);
            case 16: return uint64_t{1} << pipe_ring;
            case 17: return uint64_t{1} << notification_ring;
            case 18: return uint64_t{notify_per_packet} | uint64_t{accept_ipv6} << 1 | uint64_t{full_tuple} << 2;
            case 20: return guard;
            case 24: return (now < refused_.from ? refused_before_ : refused_).page;
            case 25: return (now < refused_.from ? refused_before_ : refused_).address;
            default: return 0;
        }
    }
    void write(const Access &access) {
        if (!access.low) return;
        const uint64_t value = access.low_half() | (access.high ? uint64_t{access.high_half()} << 32 : 0);
        switch (access.extension_word) {
            case 16: set_ring(pipe_ring, value, 20); break;
            case 17: set_ring(notification_ring, value, 15); break;
            case 18: notify_per_packet = value & 1, accept_ipv6 = value >> 1 & 1, full_tuple = value >> 2 & 1; break;
            case 19: wants_reset |= value == 1; break;
            case 20: guard = value & 1; break;
            default: break;
        }
    }

  private:
    static constexpr uint64_t kMagic = 0x0043494e6d726548, kVersion = 2, kCapabilities = 0x3ff;
    static constexpr int kFirstCounter = 32, kSmallestRing = 3;
    static constexpr size_t kMostPending = 256;
    static constexpr Cycle kLatest = 4;  // no event counts later than that
    struct Event {
        Cycle from;
        int counter;
    };

    // Counts what counts by now; what comes later is no earlier than that.
    void settle(Cycle now) {
        size_t kept = 0;
        for (const Event &event : pending_) {
            if (event.from > now) pending_[kept++] = event;
            else counts_[static_cast<size_t>(event.counter)]++;
        }
        pending_.resize(kept);
    }

    static int log2_of(int64_t power) { return 63 - __builtin_clzll(static_cast<uint64_t>(power)); }
    static void set_ring(int &ring, uint64_t lines, int largest) {
        if (lines && !(lines & (lines - 1)) && lines >> kSmallestRing && !(lines >> largest >> 1))
            ring = log2_of(static_cast<int64_t>(lines));
    }
    NicParameters parameters_{};
    std::array<uint64_t, kCounters> counts_{};
    std::vector<Event> pending_;
    struct Refusal {
        Cycle from;
        uint64_t page, address;
    } refused_{}, refused_before_{};
};
