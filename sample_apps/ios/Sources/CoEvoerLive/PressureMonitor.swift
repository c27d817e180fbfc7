// Heat and memory of the device, remembered. In: what the system announces, with times. Out: what holds now.

import CoEvoerKit

/// The system says when memory is low and never that it is enough again: a warning holds for a while.
public struct PressureMonitor: Equatable, Sendable {
  /// Long enough that models do not change to and fro while warnings come, one every few seconds.
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
