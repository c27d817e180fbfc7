// Remembers the heat and the memory of the device. In: the system's notifications, with times. Out: the present state.

import CoEvoerKit

/// The system reports that memory is low, but never that it is sufficient again, so a warning is valid for some time.
public struct PressureMonitor: Equatable, Sendable {
  /// Long enough that models are not changed back and forth while warnings come every few seconds.
  public static let warningHoldsS = 30.0

  private var thermal = Thermal.nominal
  private var lastWarningS: Double?

  public init() {}

  public mutating func report(_ thermal: Thermal) {
    self.thermal = thermal
  }

  public mutating func warnOfMemory(atS time: Double) {
    lastWarningS = time
  }

  public func pressure(atS time: Double) -> (thermal: Thermal, lowMemory: Bool) {
    (thermal, lastWarningS.map { time - $0 < PressureMonitor.warningHoldsS } ?? false)
  }
}
