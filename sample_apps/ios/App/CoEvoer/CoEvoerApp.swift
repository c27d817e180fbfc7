// The app, which has a single screen.

import SwiftUI

@main
struct CoEvoerApp: App {
  @State private var session = LiveSession()

  var body: some Scene {
    WindowGroup {
      LiveView(session: session)
    }
  }
}
