// What the NIC reads in a received frame: the steering key, and how much of it a pipe takes (rx_parser.py).
#pragma once
#include <cstdint>
#include <cstring>

enum DropCause : int {
    kNone, kNotIp, kBadIpLength, kBadFrame, kTooLong, kNoFlow, kPipeFull, kPipeDisabled, kPacketBufferFull, kInReset,
    kTxError
};

struct FlowKey {
    uint16_t destination_port = 0, source_port = 0;
    uint32_t destination_address = 0, source_address = 0;
    bool operator==(const FlowKey &) const = default;
};

struct TimestampSetting {
    bool enable = false;
    int offset = 0;
    // Writes `word` in network order.
    void put(uint8_t *flit, uint32_t word) const {
        for (int i = 0; i < 4; i++) flit[offset + i] = static_cast<uint8_t>(word >> (24 - 8 * i));
    }
};

inline uint32_t network16(const uint8_t *at) { return static_cast<uint32_t>(at[0] << 8 | at[1]); }
inline uint32_t network32(const uint8_t *at) { return network16(at) << 16 | network16(at + 2); }

// What the first flit tells.
struct IpHeader {
    FlowKey key;
    int end = 0;  // bytes of the frame up to the end of its IP packet
    bool is_ipv6 = false, is_ip = false, is_sound = false;

    // `flit` is the first one, of which `count` bytes belong to the frame.
    IpHeader(const uint8_t *flit, int count, bool accept_ipv6, bool full_tuple, const TimestampSetting &timestamp) {
        constexpr int kLongestWithPorts = (64 - 4 - 14) / 4, kLongestWithFlags = (64 - 1 - 13 - 14) / 4;  // words
        const int words = flit[14] & 15, version = flit[14] >> 4, protocol = flit[23];
        const int total = static_cast<int>(network16(flit + 16)), layer4 = 4 * words;
        const bool hides_fragments = timestamp.enable && timestamp.offset > 16 && timestamp.offset <= 21;
        const bool is_whole = (network16(flit + 20) & 0x1fff) == 0 || hides_fragments;
        const bool has_ports = words <= kLongestWithPorts && layer4 + 4 <= total;
        const bool is_udp = protocol == 17 && is_whole && has_ports;
        const bool is_tcp = protocol == 6 && is_whole && words <= kLongestWithFlags && layer4 + 14 <= total;
        is_ipv6 = count > 14 && network16(flit + 12) == 0x86dd && version == 6 && accept_ipv6;
        is_ip = is_ipv6 || (count > 14 && network16(flit + 12) == 0x0800 && version == 4);
        end = is_ipv6 ? 14 + 40 + static_cast<int>(network16(flit + 18)) : 14 + total;
        is_sound = is_ipv6 || (words >= 5 && total >= layer4);
        key.destination_address = network32(flit + 30);
        if (is_udp || is_tcp) key.destination_port = static_cast<uint16_t>(network16(flit + 14 + layer4 + 2));
        const bool is_connected = is_tcp && !(flit[14 + layer4 + 13] & 2);
        if (is_connected || (full_tuple && (is_udp || is_tcp)))
            key.source_port = static_cast<uint16_t>(network16(flit + 14 + layer4));
        if (is_connected || full_tuple) key.source_address = network32(flit + 26);
    }
    // Why a pipe without header mode does not take a frame of this length.
    DropCause refusal(int length) const {
        if (!is_ip) return kNotIp;
        return is_sound && end <= length ? kNone : kBadIpLength;
    }
};
