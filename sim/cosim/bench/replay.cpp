// The ceiling: the bare verilated NIC, replaying recorded pins in a loop.
//
//   replay PINS FIRST_TIMED_CYCLE [LAST_HASHED_CYCLE]
// prints cycles timed and seconds; with a third argument it hashes all transfers up to that cycle instead and prints that.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "../pcie/pins.hpp"
#include "Vtop.h"
#include "verilated.h"

int main(int count, char **arguments) {
    std::FILE *file = std::fopen(arguments[1], "rb");
    if (!file) return std::perror(arguments[1]), 2;
    std::fseek(file, 0, SEEK_END);
    std::vector<RecordedPins> pins(std::ftell(file) / sizeof(RecordedPins));
    std::rewind(file);
    if (std::fread(pins.data(), sizeof(RecordedPins), pins.size(), file) != pins.size()) return 2;
    const uint64_t first_timed = std::strtoull(arguments[2], nullptr, 10);
    const bool hashing = count > 3;
    const uint64_t last = hashing ? std::strtoull(arguments[3], nullptr, 10) : ~uint64_t{0};

    const auto context = std::make_unique<VerilatedContext>();
    const auto nic = std::make_unique<Vtop>(context.get());
    nic->host___05Fmax_payload = nic->host___05Fmax_read = 8;
    nic->host___05Fbus_master = 1;
    TransferHash hash;
    uint64_t timed = 0;
    auto began = std::chrono::steady_clock::now();
    for (const RecordedPins &now : pins) {
        if (now.cycle > last) break;
        if (now.cycle >= first_timed && timed++ == 0) began = std::chrono::steady_clock::now();
        nic->rst = !!(now.flags & RecordedPins::kReset);
        nic->cycle = now.cycle;
        nic->tick = now.cycle * 4 / 5;
        if ((nic->ethernet_rx___05Fvalid = !!(now.flags & RecordedPins::kRxValid)))
            std::memcpy(nic->ethernet_rx___05Fpayload.data(), now.rx, sizeof now.rx);
        if ((nic->host___05Fread_completion___05Fvalid = !!(now.flags & RecordedPins::kCompletionValid)))
            std::memcpy(nic->host___05Fread_completion___05Fpayload.data(), now.completion, sizeof now.completion);
        if ((nic->host___05Fmmio_request___05Fvalid = !!(now.flags & RecordedPins::kMmioValid)))
            std::memcpy(nic->host___05Fmmio_request___05Fpayload.data(), now.mmio, sizeof now.mmio);
        nic->host___05Fto_host___05Fready = !!(now.flags & RecordedPins::kToHostReady);
        nic->host___05Fread_request___05Fready = !!(now.flags & RecordedPins::kReadRequestReady);
        nic->ethernet_tx___05Fready = !!(now.flags & RecordedPins::kTxReady);
        nic->clk = 0;
        nic->eval();
        if (hashing && !nic->rst) {
            if (nic->host___05Fto_host___05Fvalid && nic->host___05Fto_host___05Fready)
                hash.add(TransferHash::kToHost, now.cycle, nic->host___05Fto_host___05Fpayload.data(), kHostWriteWords);
            if (nic->host___05Fread_request___05Fvalid && nic->host___05Fread_request___05Fready)
                hash.add(TransferHash::kReadRequest, now.cycle, nic->host___05Fread_request___05Fpayload.data(),
                         kReadRequestWords);
            if (nic->ethernet_tx___05Fvalid && nic->ethernet_tx___05Fready)
                hash.add(TransferHash::kEthernetTx, now.cycle, nic->ethernet_tx___05Fpayload.data(), kEthernetWords);
        }
        nic->clk = 1;
        nic->eval();
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
    if (hashing) std::printf("%lu\n", hash.value());
    else std::printf("%lu %.6f\n", timed, wall.count());
    return 0;
}
