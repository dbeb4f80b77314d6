// Readings: the numbers the sentinel's rules look at, taken from what the deciders know.
#pragma once

#include "brain/desk.hpp"
#include "brain/medic/medic.hpp"
#include "brain/sentinel/metric.hpp"

namespace tide::brain {

Readings take_readings(const Desk& desk, const Medic& medic);

}  // namespace tide::brain
