// The screen: the camera's picture with the mesh over it, the readings, and one notice.

import CoEvoerLive
import SwiftUI
import UIKit

struct LiveView: View {
  let session: LiveSession
  @Environment(\.scenePhase) private var scenePhase

  var body: some View {
    ZStack(alignment: .topLeading) {
      if let canvas = session.canvas {
        MeshScreen(view: canvas).ignoresSafeArea()
      }
      VStack(alignment: .leading) {
        Text(session.readings).monospacedDigit()
        ForEach(session.status.remarks, id: \.self) { Text($0) }
        Spacer()
        if let notice = session.status.notice {
          Text(notice)
        }
        switch session.status.remedy {
        case .openSettings: Button("Open Settings") { openSettings() }
        case .tryAgain: Button("Try again") { Task { await session.start() } }
        case nil: EmptyView()
        }
      }
      .foregroundStyle(.white)
      .padding()
    }
    .background(.black)
    .task { await session.start() }
    .onChange(of: scenePhase) { _, phase in session.setVisible(phase == .active) }
  }

  private func openSettings() {
    if let url = URL(string: UIApplication.openSettingsURLString) { UIApplication.shared.open(url) }
  }
}

/// The session owns the view and renders into it when results arrive.
private struct MeshScreen: UIViewRepresentable {
  let view: MeshCanvas

  func makeUIView(context: Context) -> MeshCanvas { view }
  func updateUIView(_ view: MeshCanvas, context: Context) {}
}
