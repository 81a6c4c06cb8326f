// The NIC's pins as 32-bit words, least significant first, laid out as rtl/enso_nic/layouts.py says.
#pragma once
#include <cstdint>
#include <cstring>

using Word = uint32_t;

constexpr int kLineBytes = 64;
constexpr int kMaxTlpBytes = 512;
constexpr int kHostWriteWords = 19, kReadRequestWords = 3, kReadCompletionWords = 17, kMmioRequestWords = 4;
constexpr int kEthernetWords = 19;  // both directions
constexpr uint64_t kLineAddressMask = (uint64_t{1} << 58) - 1;

inline uint64_t two_words(const Word *words) { return words[0] | uint64_t{words[1]} << 32; }

struct HostWritePins {
    const Word *words;
    uint64_t byte_address() const { return (two_words(words + 16) & kLineAddressMask) * kLineBytes; }
    int flits() const { return words[17] >> 26 & 15; }
    bool first() const { return words[17] >> 30 & 1; }
    bool last() const { return words[17] >> 31; }
    bool is_mmio_response() const { return words[18] & 1; }
    uint8_t tag() const { return words[18] >> 1; }
};

struct ReadRequestPins {
    const Word *words;
    uint64_t byte_address() const { return (two_words(words) & kLineAddressMask) * kLineBytes; }
    int flits() const { return words[1] >> 26 & 15; }
    uint8_t tag() const { return two_words(words + 1) >> 30; }
};

inline void set_completion(Word *words, const uint8_t *line, uint8_t tag, int index, bool last, bool error) {
    std::memcpy(words, line, kLineBytes);
    words[16] = tag | index << 8 | last << 11 | error << 12;
}

// One MMIO access, within an aligned 8-byte word.
struct MmioRequest {
    uint64_t data;
    uint32_t word_address;  // byte address / 8
    uint8_t enables;
    uint8_t tag;
    bool write;

    void set(Word *words) const {
        words[0] = static_cast<Word>(data);
        words[1] = static_cast<Word>(data >> 32);
        words[2] = word_address | Word{enables} << 24;
        words[3] = tag | write << 8;
    }
};

// A beat of `bytes` (1 to 64) bytes; the rest of the data is 0.
inline void set_ethernet_rx(Word *words, const uint8_t *data, int bytes, bool last, bool error) {
    auto *out = reinterpret_cast<uint8_t *>(words);
    std::memcpy(out, data, bytes);
    std::memset(out + bytes, 0, kLineBytes - bytes);
    const uint64_t keep = ~uint64_t{0} >> (64 - bytes);
    std::memcpy(words + 16, &keep, 8);
    words[18] = last | error << 1;
}

struct EthernetTxPins {
    const Word *words;
    int bytes() const { return __builtin_popcountll(two_words(words + 16)); }
    bool last() const { return words[18] & 1; }
};

// What the bridge does to the NIC's pins at one rising edge, as files of recorded pins hold it.
struct RecordedPins {
    enum Flag : Word {
        kRxValid = 1,
        kCompletionValid = 2,
        kMmioValid = 4,
        kToHostReady = 8,
        kReadRequestReady = 16,
        kTxReady = 32,
        kReset = 64,
    };
    uint64_t cycle;
    Word flags;
    Word rx[kEthernetWords], completion[kReadCompletionWords], mmio[kMmioRequestWords];
    Word unused;
};
static_assert(sizeof(RecordedPins) == 176);

// One transfer from the NIC, as files of recorded transfers hold it; words that the port does not have are 0.
struct RecordedTransfer {
    enum Port : Word { kToHost = 1, kReadRequest = 2, kEthernetTx = 3 };
    uint64_t cycle;
    Word port, words[kHostWriteWords];
};
static_assert(sizeof(RecordedTransfer) == 88 && kHostWriteWords == kEthernetWords);

// Hash of all that the NIC sent: of each transfer its port, its cycle and its payload.
class TransferHash {
  public:
    enum Port : uint64_t { kToHost = 1, kReadRequest = 2, kEthernetTx = 3 };

    void add(Port port, uint64_t cycle, const Word *payload, int words) {
        mix(port << 60 ^ cycle);
        for (int i = 0; i < words; i++) mix(payload[i]);
    }
    uint64_t value() const { return value_; }

  private:
    void mix(uint64_t word) { value_ = (value_ ^ word) * 0x100000001b3; }
    uint64_t value_ = 0xcbf29ce484222325;
};
