package androidx.activity;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public class ComponentActivity extends android.app.Activity implements androidx.lifecycle.LifecycleOwner {}
