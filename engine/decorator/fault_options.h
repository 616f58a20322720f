#pragma once

#include "engine/decorator/fault_plan.h"
#include "engine/storage_engine.h"

namespace ringwright {

// Arms a plan as text says, all or nothing; what is not named stays as it is.
//
//   <kind of fault>   "0.01" or "1%": every opportunity fails with this probability; "next:3": the
//                     next three do; "nth:3": the third from now on does
//   space             "1MiB": how much may still be written; "unlimited"
//   seed              decides the draws, from their beginning
//
// `invalid` names what is wrong, an unknown name with the nearest.
Status arm_faults(FaultPlan& plan, const EngineOptions& options);

}  // namespace ringwright
