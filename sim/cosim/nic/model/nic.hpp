// The NIC as the bridge sees it: what happens at one clock edge, and when something happens next.
//
// It has the RTL's queues, arbiters and decisions, but no stages: what takes the RTL several cycles of a pipeline is one
// step, whose outcome appears as many cycles later as was measured of the RTL. Cycles in which nothing happens cost nothing.
#pragma once
#include <memory>

#include "receive.hpp"
#include "transmit.hpp"

// The pins that the bridge drives; null: not valid.
struct NicInputs {
    const Word *rx, *completion, *mmio;
    bool to_host_ready, read_request_ready, tx_ready;
};

// What the NIC shows in this cycle; null: not valid.
struct NicOutputs {
    const HostBeat *to_host;
    const ReadRequest *read_request;
    const Word *tx;
    bool mmio_taken;
};

class ModelNic {
  public:
    explicit ModelNic(const NicParameters &parameters, int64_t max_payload, int64_t max_read)
        : parameters_(parameters), max_payload_(max_payload), max_read_(max_read) {
        restart(0);
    }

    // The edge of cycle `now`, with the pins as they are before it.
    NicOutputs step(Cycle now, const NicInputs &in) {
        State &nic = *state_;
        NicOutputs out{};
        nic.transmit.begin();
        const bool wants_reset = nic.page.wants_reset;
        const TimestampSetting timestamp = nic.transmit.timestamp;
        const bool offers_completion = nic.transmit.requests.shows(now, nic.transmit.fetch, nic.page);
        const bool has_completion = locked_ ? chose_completion_ : offers_completion;
        if (to_host_gate_.closed) {
        } else if (has_completion) {
            nic.transmit.requests.put(completion_);
            out.to_host = &completion_;
        } else if (nic.receive.writer.valid) {
            shown_ = nic.receive.writer.beat;
            out.to_host = &shown_;
        }
        const bool beat_taken = out.to_host && in.to_host_ready;
        if (out.to_host) locked_ = !(beat_taken && out.to_host->last()), chose_completion_ = has_completion;
        if (nic.transmit.request_valid && !request_gate_.closed) request_ = nic.transmit.request, out.read_request = &request_;
        if (nic.transmit.frames.valid && !tx_gate_.closed) std::memcpy(tx_, nic.transmit.frames.beat, sizeof tx_), out.tx = tx_;

        const bool receives = now >= receive_due_;
        if (receives) nic.receive.step(now, beat_taken && !has_completion, max_payload_, nic.page);
        if (offers_completion) nic.transmit.requests.answered(beat_taken && has_completion);
        const bool is_open = now >= open_;
        std::optional<Access> access;
        if (in.mmio && is_open && !wants_reset) access.emplace(in.mmio);
        if (access && !nic.guard.passes(*access, now, nic.page)) access.reset();
        const bool wants_tx = access && access->is_tx() && !tx_asked_;
        const Transmit::Taken taken{out.read_request && in.read_request_ready, out.tx && in.tx_ready};
        const bool transmits = now >= transmit_due_ || in.completion || wants_tx;
        const bool tx_taken = transmits && nic.transmit.step(now, taken, in.completion, wants_tx ? &*access : nullptr, max_read_,
                                                             nic.receive.door, nic.guard, nic.page);
        if (access) out.mmio_taken = decode(*access, now, tx_taken);
        if (out.mmio_taken) nic.guard.taken(*access, now, nic.page);
        // the parser judges a frame a cycle after its first beat
        if (in.rx) nic.receive.door.beat(in.rx, now, now + 1 >= open_, timestamp, nic.page);
        nic.receive.end(now);
        const bool is_over = wants_reset && to_host_gate_.closed && request_gate_.closed && tx_gate_.closed;
        to_host_gate_.end(wants_reset, out.to_host, beat_taken && out.to_host->last());
        request_gate_.end(wants_reset, out.read_request, taken.request);
        tx_gate_.end(wants_reset, out.tx, taken.beat && out.tx[18] & 1);
        if (is_over) restart(now);
        // what the other half does here does not bring it forward
        if (receives || in.rx || in.mmio) receive_due_ = state_->receive.next(now);
        if (transmits || in.mmio) transmit_due_ = state_->transmit.next(now);
        return out;
    }
    // The next cycle in which anything may happen without an input.
    Cycle next(Cycle now) {
        if (state_->page.wants_reset) return now + 1;
        return std::max(now + 1, std::min(receive_due_, transmit_due_));
    }

  private:
    // Ends a stream where nobody is left with half an item (output_gate.py).
    struct Gate {
        bool inside = false, closed = false;
        void end(bool close, bool valid, bool taken_last) {
            if (valid) inside = !taken_last;
            closed = close && !inside;
        }
    };
    struct State {
        ExtensionPage page;
        Guard guard;
        Receive receive;
        Transmit transmit;
    };

    void restart(Cycle now) {
        open_ = now + parameters_.pipes + parameters_.open;
        const std::unique_ptr<State> before = std::move(state_);
        state_ = std::make_unique<State>();
        locked_ = tail_sent_ = waited_ = tx_asked_ = has_count_ = false;
        to_host_gate_ = request_gate_ = tx_gate_ = {};
        state_->page.configure(parameters_);
        state_->guard.configure(parameters_);
        state_->receive.configure(parameters_);
        state_->transmit.configure(parameters_);
        if (before) {
            state_->receive.door.begin_at(before->receive.door.is_at_start());
            state_->transmit.inherit(before->transmit, now + parameters_.read_timeout_cycles);
        }
        receive_due_ = state_->receive.next(now), transmit_due_ = state_->transmit.next(now);
    }

    // The access at hand, as mmio.py takes it; whether it is over.
    bool decode(const Access &access, Cycle now, bool tx_taken) {
        if (!access.write) return read(access, now, tx_taken);
        if (access.is_tx()) return tx_taken;
        if (access.is_rx()) return write_rx(access, now);
        if (access.is_mode && access.low) {
            if (Pipe *pipe = pipe_of(access.entry)) pipe->header_mode = access.data & 1;
        } else if (access.is_extension) {
            const bool was_per_packet = state_->page.notify_per_packet;
            state_->page.write(access);
            if (state_->page.notify_per_packet != was_per_packet) state_->receive.manager.change_mode(was_per_packet, now);
        }
        return true;
    }
    // At most a tail write, then what a head write entails.
    bool write_rx(const Access &access, Cycle now) {
        OperationQueue &operations = state_->receive.operations;
        const bool is_index = access.word == 0;
        if (is_index && access.low && !tail_sent_) {
            if (!operations.has_room()) return false;
            operations.add({Operation::kTailWrite, access.page, PipeWord::kOther, access.tag, access.data}, now, state_->page);
            tail_sent_ = access.high;
            if (access.high) return false;
        } else if (is_index && access.high && access.is_pipe) {
            const bool merges = !operations.has_room();
            if (merges && !waited_) return operations.offer(now), waited_ = true, false;
            operations.add({Operation::kHeadCheck, access.page, PipeWord::kOther, access.tag, access.data}, now, state_->page);
        } else if (is_index && access.high && access.is_buffer) {
            if (!waited_) return state_->receive.owed.offer_freed(now), waited_ = true, false;
            state_->receive.owed.freed(access.buffer(), now);
        }
        tail_sent_ = waited_ = false;
        store(access);
        return true;
    }
    // Heads and addresses change at once.
    void store(const Access &access) {
        const ExtensionPage &page = state_->page;
        const auto write = [&](auto &owner, int ring_size) {
            if (access.word == 0 && access.high) owner.head = access.high_half();
            if (access.word == 1) owner.ring.write(access, ring_size);
        };
        if (access.is_pipe) {
            if (Pipe *pipe = pipe_of(access.page)) write(*pipe, page.pipe_ring);
        } else if (static_cast<size_t>(access.buffer()) < state_->receive.notifier.rings.size()) {
            write(state_->receive.notifier.rings[static_cast<size_t>(access.buffer())], page.notification_ring);
        }
    }
    // Its answer leaves behind all that was decided before; TX and the extension page are asked first.
    bool read(const Access &access, Cycle now, bool tx_taken) {
        uint64_t data = 0;
        if (access.is_tx()) {
            tx_asked_ |= tx_taken;
            std::optional<uint64_t> &answer = state_->transmit.fetch.answer;
            if (tx_taken || !answer || now < state_->transmit.fetch.answered) return false;
            data = *answer;
        } else if (access.is_extension) {
            if (!has_count_) {
                count_ = state_->page.read(access.extension_word, now), has_count_ = true;
                counted_ = now + parameters_.extension_read - parameters_.register_read;
            }
            if (now < counted_) return false;
            data = count_;
        }
        OperationQueue &operations = state_->receive.operations;
        if (!operations.has_room()) return false;
        operations.add({Operation::kRegisterRead, access.index(), access.is_tx() ? PipeWord::kOther : access.pipe_word(),
                        access.tag, data}, now, state_->page);
        state_->transmit.fetch.answer.reset();
        tx_asked_ = has_count_ = false;
        return true;
    }
    Pipe *pipe_of(int index) {
        std::vector<Pipe> &pipes = state_->receive.manager.pipes;
        return static_cast<size_t>(index) < pipes.size() ? &pipes[static_cast<size_t>(index)] : nullptr;
    }

    NicParameters parameters_;
    int64_t max_payload_, max_read_;
    Cycle open_ = 0;
    std::unique_ptr<State> state_;
    Cycle receive_due_ = 0, transmit_due_ = 0;  // when anything may happen in a half without an input
    Gate to_host_gate_, request_gate_, tx_gate_;
    // the arbiter's choice stays until its write has ended
    bool locked_ = false, chose_completion_ = false;
    HostBeat completion_{}, shown_{};
    ReadRequest request_{};
    Word tx_[kEthernetWords];
    // the access at hand
    bool tail_sent_ = false, waited_ = false, tx_asked_ = false, has_count_ = false;
    uint64_t count_ = 0;
    Cycle counted_ = 0;
};
