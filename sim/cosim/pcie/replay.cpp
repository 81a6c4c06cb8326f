// The bare NIC: plays recorded pins to the verilated module alone, as fast as it goes.
// Usage: model PINS_FILE; prints "cycles SECONDS hash", the hash as the bridge computed it while it recorded.
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "pins.hpp"
#include "verilated.h"

namespace {

std::vector<RecordedPins> read_pins(const char *path) {
    std::vector<RecordedPins> pins;
    std::FILE *file = std::fopen(path, "rb");
    if (!file) return pins;
    std::fseek(file, 0, SEEK_END);
    pins.resize(static_cast<size_t>(std::ftell(file)) / sizeof(RecordedPins));
    std::rewind(file);
    if (std::fread(pins.data(), sizeof(RecordedPins), pins.size(), file) != pins.size()) pins.clear();
    std::fclose(file);
    return pins;
}

}  // namespace

int main(int count, char **arguments) {
    const std::vector<RecordedPins> all = count == 2 ? read_pins(arguments[1]) : std::vector<RecordedPins>{};
    if (all.empty()) {
        std::fprintf(stderr, "usage: %s PINS_FILE, a whole file of recorded pins\n", arguments[0]);
        return 2;
    }
    VerilatedContext context;
    const auto nic = std::make_unique<Vtop>(&context, "nic");
    TransferHash hash;
    nic->host___05Fmax_payload = nic->host___05Fmax_read = kMaxTlpBytes / kLineBytes;
    nic->host___05Fbus_master = 1;
    nic->host___05Freset = 0;
    const auto began = std::chrono::steady_clock::now();
    for (const RecordedPins &pins : all) {
        const Word flags = pins.flags;
        nic->rst = (flags & RecordedPins::kReset) != 0;
        nic->cycle = pins.cycle;
        nic->tick = pins.cycle * 4 / 5;
        nic->ethernet_rx___05Fvalid = (flags & RecordedPins::kRxValid) != 0;
        nic->host___05Fread_completion___05Fvalid = (flags & RecordedPins::kCompletionValid) != 0;
        nic->host___05Fmmio_request___05Fvalid = (flags & RecordedPins::kMmioValid) != 0;
        nic->host___05Fto_host___05Fready = (flags & RecordedPins::kToHostReady) != 0;
        nic->host___05Fread_request___05Fready = (flags & RecordedPins::kReadRequestReady) != 0;
        nic->ethernet_tx___05Fready = (flags & RecordedPins::kTxReady) != 0;
        std::memcpy(&nic->ethernet_rx___05Fpayload, pins.rx, sizeof pins.rx);
        std::memcpy(&nic->host___05Fread_completion___05Fpayload, pins.completion, sizeof pins.completion);
        std::memcpy(&nic->host___05Fmmio_request___05Fpayload, pins.mmio, sizeof pins.mmio);
        nic->clk = 0;
        nic->eval();
        if (!nic->rst) {
            if (nic->host___05Fto_host___05Fvalid && nic->host___05Fto_host___05Fready)
                hash.add(TransferHash::kToHost, pins.cycle, nic->host___05Fto_host___05Fpayload.data(), kHostWriteWords);
            if (nic->host___05Fread_request___05Fvalid && nic->host___05Fread_request___05Fready)
                hash.add(TransferHash::kReadRequest, pins.cycle, nic->host___05Fread_request___05Fpayload.data(),
                         kReadRequestWords);
            if (nic->ethernet_tx___05Fvalid && nic->ethernet_tx___05Fready)
                hash.add(TransferHash::kEthernetTx, pins.cycle, nic->ethernet_tx___05Fpayload.data(), kEthernetWords);
        }
        nic->clk = 1;
        nic->eval();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::printf("%zu %.6f %016lx\n", all.size(), took.count(), hash.value());
    nic->final();
    return 0;
}
