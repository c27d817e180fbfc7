package androidx.camera.core;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public class CameraInfoUnavailableException extends Exception {}
