"""What drives other people's avatars: ARKit blendshape weights and VRM humanoid poses."""
