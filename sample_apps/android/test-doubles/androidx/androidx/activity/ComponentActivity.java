package androidx.activity;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public class ComponentActivity extends android.app.Activity implements androidx.lifecycle.LifecycleOwner {}
