// The user's notices: no permission, no camera, no model, nobody in view, heat, low memory.

import CoEvoerKit
import CoEvoerLive
import XCTest

final class LiveStatusTests: XCTestCase {
  private func status(_ events: [LiveStatus.Event]) -> LiveStatus {
    var status = LiveStatus()
    for event in events { status.handle(event) }
    return status
  }

  private let running: [LiveStatus.Event] = [.cameraRunning, .modelReady(isTrained: true)]

  func testNoPermission() {
    let denied = status([.cameraDenied, .modelReady(isTrained: true)])
    XCTAssertEqual(denied.notice, "The app has no access to the camera. Allow it in Settings.")
    XCTAssertEqual(denied.remedy, .openSettings)
    // It takes precedence over everything else.
    let worse = status([.modelFailed("altered"), .cameraDenied])
    XCTAssertEqual(worse.notice, denied.notice)
    XCTAssertEqual(worse.remedy, .openSettings)
  }

  func testNoCamera() {
    let none = status(running + [.cameraMissing])
    XCTAssertEqual(none.notice, "This device has no camera that can be used.")
    XCTAssertNil(none.remedy)
  }

  func testAModelThatIsMissingOrAltered() {
    let failed = status([.cameraRunning, .modelFailed("manifest.json was altered")])
    XCTAssertEqual(failed.notice, "The model cannot be used: manifest.json was altered")
    XCTAssertEqual(failed.remedy, .tryAgain)
    var again = failed
    again.handle(.modelPreparing)
    XCTAssertEqual(again.notice, "Preparing the model. This takes longest the first time.")
    XCTAssertNil(again.remedy)
    again.handle(.modelReady(isTrained: true))
    XCTAssertEqual(again.notice, "Nobody is in view.")
  }

  func testSomebodyAndNobody() {
    var s = status(running)
    XCTAssertEqual(s.notice, "Nobody is in view.")
    s.handle(.frame(hasPerson: true, isSmallerModel: false))
    XCTAssertNil(s.notice)
    XCTAssert(s.hasPerson)
    s.handle(.frame(hasPerson: false, isSmallerModel: false))
    XCTAssertEqual(s.notice, "Nobody is in view.")
    XCTAssertFalse(s.hasPerson)
  }

  func testAnInterruptedCameraHidesTheMeshAndGoesOnByItself() {
    var s = status(running + [.frame(hasPerson: true, isSmallerModel: false), .cameraInterrupted])
    XCTAssertFalse(s.hasPerson)
    XCTAssertEqual(s.notice, "The camera is in use elsewhere. The picture returns when it is free.")
    s.handle(.cameraRunning)
    XCTAssertEqual(s.notice, "Nobody is in view.")
  }

  func testFramesThatFailAreToldOnceTheyAreThreeInARow() {
    var s = status(running + [.frame(hasPerson: true, isSmallerModel: false)])
    for _ in 0..<2 { s.handle(.frameFailed("not finite")) }
    XCTAssertNil(s.notice)
    XCTAssert(s.hasPerson)
    s.handle(.frameFailed("not finite"))
    XCTAssertEqual(s.notice, "The model failed: not finite")
    XCTAssertFalse(s.hasPerson)
    s.handle(.frame(hasPerson: true, isSmallerModel: false))
    XCTAssertNil(s.notice)
  }

  func testRemarks() {
    XCTAssertEqual(status(running).remarks, [])
    let s = status([
      .cameraRunning, .modelReady(isTrained: false), .pressure(thermal: .serious, lowMemory: true),
      .frame(hasPerson: true, isSmallerModel: true),
    ])
    XCTAssertEqual(
      s.remarks,
      [
        "Untrained weights: the pose is random", "The device is warm (serious): fewer frames", "Memory is low",
        "The smaller model is in use",
      ])
    XCTAssertNil(s.notice)
  }
}
