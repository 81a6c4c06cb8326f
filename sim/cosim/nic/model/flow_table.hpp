// Which pipe a frame goes to: four sub-tables of exact rules, each with its own hash (flow_director.py, flow_updater.py).
#pragma once
#include <array>
#include <vector>

#include "frame.hpp"
#include "parameters.hpp"

constexpr int kFlowTables = 4;

// lookup3's final mix; `variant` is the sub-table.
inline uint32_t flow_hash(const FlowKey &key, uint32_t variant) {
    const uint32_t seed = 0xdeadbeef + 12 + variant;
    uint32_t a = (key.destination_port | key.destination_address << 16) + seed;
    uint32_t b = (key.destination_address >> 16 | uint32_t{key.source_port} << 16) + seed;
    uint32_t c = key.source_address + seed;
    const auto mix = [](uint32_t &first, uint32_t second, int rotation) {
        first = (first ^ second) - (second << rotation | second >> (32 - rotation));
    };
    mix(c, b, 14), mix(a, c, 11), mix(b, a, 25), mix(c, b, 16), mix(a, c, 4), mix(b, a, 14), mix(c, b, 24);
    return c;
}

struct FlowRule {
    FlowKey key;
    int pipe = 0;
};

enum class FlowOperation { kInsert, kDelete, kStatus };

class FlowTable {
  public:
    struct Outcome {
        int code;      // of the completion
        Cycle cycles;  // more than the shortest insert takes; less than 0: fewer
        int asks;      // how often the table is asked
    };
    static constexpr int kTableFull = 4, kNotFound = 5;
    static constexpr Cycle kCandidate = 13;  // to ask in vain, and to put four others behind it

    void configure(int64_t entries) {
        entries_ = static_cast<uint32_t>(entries);
        places_.assign(static_cast<size_t>(entries) * kFlowTables, {});
    }
    // Null if there is no rule.
    const FlowRule *find(const FlowKey &key) const {
        for (int table = 0; table < kFlowTables; table++) {
            const Place &place = places_[place_of(key, table)];
            if (place.valid && place.rule.key == key) return &place.rule;
        }
        return nullptr;
    }
    // What becomes of an operation; it counts from `write` on.
    Outcome ask(FlowOperation kind, const FlowRule &rule) {
        writes_.clear();
        for (int table = 0; table < kFlowTables; table++) {
            const size_t at = place_of(rule.key, table);
            if (!places_[at].valid || places_[at].rule.key != rule.key) continue;
            if (kind == FlowOperation::kStatus) return {0, -1, 1};
            writes_.push_back({at, {kind == FlowOperation::kInsert, rule}});
            return {0, 0, 1};
        }
        return kind == FlowOperation::kInsert ? insert(rule) : Outcome{kNotFound, -1, 1};
    }
    void write() {
        for (const Write &write : writes_) places_[write.at] = write.place;
        writes_.clear();
    }

  private:
    struct Place {
        bool valid = false;
        FlowRule rule;
    };
    struct Write {
        size_t at;
        Place place;
    };
    struct Candidate {
        FlowRule rule;
        size_t place;
        int parent, table;
    };
    static constexpr int kCandidates = 64;

    size_t place_of(const FlowKey &key, int table) const {
        return static_cast<size_t>(table) * entries_ + (flow_hash(key, static_cast<uint32_t>(table)) & (entries_ - 1));
    }

    // Breadth first: rules make way, each for the one that needs its place.
    Outcome insert(const FlowRule &rule) {
        std::vector<Candidate> candidates{{rule, 0, -1, -1}};
        for (size_t number = 0; number < candidates.size(); number++) {
            const FlowKey key = candidates[number].rule.key;
            const Cycle waited = static_cast<Cycle>(number) * kCandidate;
            for (int table = 0; table < kFlowTables; table++) {
                const size_t place = place_of(key, table);
                if (places_[place].valid) continue;
                return {0, waited + 2 * move(candidates, static_cast<int>(number), place), static_cast<int>(number) + 1};
            }
            for (int table = 0; table < kFlowTables && candidates.size() < kCandidates; table++) {
                const size_t place = place_of(key, table);
                if (table == candidates[number].table) continue;  // its own
                candidates.push_back({places_[place].rule, place, static_cast<int>(number), table});
            }
        }
        const auto asks = static_cast<int>(candidates.size());
        return {kTableFull, asks * kCandidate - kNoWrite, asks};
    }
    static constexpr Cycle kNoWrite = 9;     // what is saved if there is no place in the end

    // Gives how many rules made way.
    int move(const std::vector<Candidate> &candidates, int number, size_t target) {
        int moved = 0;
        while (true) {
            const Candidate &candidate = candidates[static_cast<size_t>(number)];
            writes_.push_back({target, {true, candidate.rule}});
            if (number == 0) return moved;
            target = candidate.place, number = candidate.parent, moved++;
        }
    }

    uint32_t entries_ = 1;
    std::vector<Place> places_;
    std::vector<Write> writes_;
};
