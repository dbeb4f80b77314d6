// Readings: the values of the alert metrics, taken from the state of the deciders.
#pragma once

#include "brain/alerts/metric.hpp"
#include "brain/desk.hpp"
#include "brain/health/health_monitor.hpp"

namespace tide::brain {

Readings take_readings(const Desk& desk, const HealthMonitor& health_monitor);

}  // namespace tide::brain
