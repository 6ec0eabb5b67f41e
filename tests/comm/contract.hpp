// What every backend of Communicator must do: checks that all ranks of one communicator run together.
//
// Each check gives every rank and every element other values, so that nothing passes by swapping ranks or elements.
// Values are small integers, exact in every dtype. A backend's test runs all of contract_checks.
#pragma once
#include "lockstep/comm/communicator.hpp"

namespace lockstep::testing {

struct ContractCheck {
  const char* name;
  void (*run)(Communicator&);
};

void check_sums(Communicator& communicator);
void check_extremes(Communicator& communicator);
void check_broadcasts(Communicator& communicator);
void check_gathers(Communicator& communicator);
void check_unequal_gathers(Communicator& communicator);
void check_unequal_gathers_to_one(Communicator& communicator);
void check_reduce_scatters(Communicator& communicator);
void check_layouts(Communicator& communicator);
void check_equal_bits(Communicator& communicator);
void check_many_under_way(Communicator& communicator);
void check_stream_order(Communicator& communicator);
void check_dropped_work(Communicator& communicator);
void check_splits(Communicator& communicator);
void check_buffers(Communicator& communicator);
void check_refusals(Communicator& communicator);
void check_agreement(Communicator& communicator);
void check_common_success(Communicator& communicator);

inline constexpr ContractCheck contract_checks[] = {
    {"Sums", check_sums},
    {"Extremes", check_extremes},
    {"Broadcasts", check_broadcasts},
    {"Gathers", check_gathers},
    {"UnequalGathers", check_unequal_gathers},
    {"UnequalGathersToOne", check_unequal_gathers_to_one},
    {"ReduceScatters", check_reduce_scatters},
    {"Layouts", check_layouts},
    {"EqualBits", check_equal_bits},
    {"ManyUnderWay", check_many_under_way},
    {"StreamOrder", check_stream_order},
    {"DroppedWork", check_dropped_work},
    {"Splits", check_splits},
    {"Buffers", check_buffers},
    {"Refusals", check_refusals},
    {"Agreement", check_agreement},
    {"CommonSuccess", check_common_success},
};

}  // namespace lockstep::testing
