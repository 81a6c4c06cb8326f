// The fast NIC behind the bridge, in place of bridge.sv and the verilated one: the same edges, without a clock between them.
#include "../../pcie/bridge.cpp"
#include "nic.hpp"

namespace {
std::unique_ptr<ModelNic> nic;
bool is_driven = false, is_stopped = true;
int64_t next_call = 0;
int flags = 0;

// What the NIC shows and the other side takes goes over; then the pins of the next edge are decided.
void edge(Cycle now) {
    enum { kRx = 1, kCompletion = 2, kMmio = 4, kToHostReady = 64, kReadRequestReady = 128, kTxReady = 256, kStop = 512 };
    const NicInputs in{
        flags & kRx ? bridge.rx_pins : nullptr, flags & kCompletion ? bridge.completion_pins : nullptr,
        flags & kMmio ? bridge.mmio_pins : nullptr,
        (flags & kToHostReady) != 0, (flags & kReadRequestReady) != 0, (flags & kTxReady) != 0,
    };
    const NicOutputs out = nic->step(now, in);
    bool moves = false;
    if (out.to_host && in.to_host_ready) bridge.to_host(now, out.to_host->words), moves = true;
    if (out.read_request && in.read_request_ready) {
        Word words[kReadRequestWords];
        out.read_request->set(words);
        bridge.read_request(now, words), moves = true;
    }
    if (out.tx && in.tx_ready) bridge.ethernet_tx(now, out.tx), moves = true;
    if (!is_driven && !moves && now < next_call) return;
    const bool is_quiescent = nic->next(now) > now + 1;
    const int shown = (in.completion != nullptr) | out.mmio_taken << 1 | (out.to_host != nullptr) << 2 |
                      (out.read_request != nullptr) << 3 | (out.tx != nullptr) << 4 | is_quiescent << 5;
    flags = bridge.edge(now, shown, next_call);
    is_driven = flags & (kRx | kCompletion | kMmio);
    is_stopped = flags & kStop;
}
}  // namespace

extern "C" {
bool model_open(const int64_t *parameters, int count) {
    if (count != kNicParameters) {
        bridge.fail("%d parameters of the NIC; accepted are %d", count, kNicParameters);
        return false;
    }
    NicParameters read;
    std::memcpy(&read, parameters, sizeof read);
    nic = std::make_unique<ModelNic>(read, bridge.link.max_payload_bytes / kLineBytes, bridge.link.max_read_bytes / kLineBytes);
    return true;
}
// Let it get the pins of the one file (RecordedPins), and write what it sends to the other (RecordedTransfer).
bool model_replay(const char *pins_path, const char *transfers_path) {
    std::FILE *pins_file = std::fopen(pins_path, "rb"), *out_file = std::fopen(transfers_path, "wb");
    if (!pins_file || !out_file) {
        bridge.fail("cannot open %s", pins_file ? transfers_path : pins_path);
        return false;
    }
    const auto keep = [&](Cycle now, RecordedTransfer::Port port, const Word *words, int count) {
        RecordedTransfer kept{static_cast<uint64_t>(now), port, {}};
        std::memcpy(kept.words, words, static_cast<size_t>(count) * sizeof(Word));
        std::fwrite(&kept, sizeof kept, 1, out_file);
    };
    const auto step = [&](Cycle now, const NicInputs &in) {
        const NicOutputs out = nic->step(now, in);
        if (out.to_host && in.to_host_ready) keep(now, RecordedTransfer::kToHost, out.to_host->words, kHostWriteWords);
        if (out.read_request && in.read_request_ready) {
            Word words[kReadRequestWords];
            out.read_request->set(words);
            keep(now, RecordedTransfer::kReadRequest, words, kReadRequestWords);
        }
        if (out.tx && in.tx_ready) keep(now, RecordedTransfer::kEthernetTx, out.tx, kEthernetWords);
    };
    RecordedPins pins;
    Cycle cycle = 0;
    while (std::fread(&pins, sizeof pins, 1, pins_file)) {
        const auto valid = [&](Word flag, const Word *words) { return pins.flags & flag ? words : nullptr; };
        const auto until = static_cast<Cycle>(pins.cycle);
        // where the RTL stood still, the host would have taken everything
        for (Cycle next = nic->next(cycle); next < until; next = nic->next(cycle)) step(cycle = next, {{}, {}, {}, true, true, true});
        step(cycle = until, {valid(RecordedPins::kRxValid, pins.rx), valid(RecordedPins::kCompletionValid, pins.completion),
                             valid(RecordedPins::kMmioValid, pins.mmio), (pins.flags & RecordedPins::kToHostReady) != 0,
                             (pins.flags & RecordedPins::kReadRequestReady) != 0, (pins.flags & RecordedPins::kTxReady) != 0});
    }
    std::fclose(pins_file), std::fclose(out_file);
    return true;
}
// As far as software, silent before the bound that it has set, cannot reach the NIC.
void model_run() {
    if (is_stopped && !bridge.resume(next_call)) return;
    for (is_stopped = false; !is_stopped;) {
        const Cycle from = bridge.cycle;
        const Cycle now = is_driven ? from + 1 : std::max(from + 1, std::min(nic->next(from), next_call));
        bridge.skipped += now - from - 1;
        bridge.cycle = now;
        edge(now);
    }
}
}
#include "calls.hpp"
