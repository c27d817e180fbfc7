"""Values that drive an avatar: ARKit blendshape weights and VRM humanoid poses."""
