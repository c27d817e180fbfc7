/** The page: loads the bundle, opens a source, shows the results. */

import { Estimator, CoEvoerError, type EstimatorResult, type Info } from "../coevoer/index.js";
import { Notice } from "./notice.js";
import { prepareOffline } from "./offline.js";
import { MeshOverlay } from "./overlay.js";
import { fillList, megabytes, part } from "./page.js";
import { Player } from "./player.js";
import { openCamera, openClip, openFile, SourceError, type Source } from "./sources.js";
import { Stage } from "./stage.js";
import { Stats } from "./stats.js";
import { Surface } from "./surface.js";
import { Viewer } from "./viewer.js";
import "./style.css";

const query = new URLSearchParams(location.search);
const BUNDLE = query.get("bundle") ?? "bundle/";
const SAMPLE = "sample.webm";

const notice = new Notice();
const stats = new Stats();

class App {
  private source: Source | null = null;
  private player: Player | null = null;
  private opening = 0;
  private readonly stage: Stage;
  private readonly viewer: Viewer;
  private readonly state = part("state", HTMLSpanElement);

  constructor(private readonly estimator: Estimator) {
    const { body } = estimator.info;
    const surface = new Surface(body.faces, body.restVertices);
    const canvas = part("mesh", HTMLCanvasElement);
    this.stage = new Stage(estimator.info, new MeshOverlay(canvas, surface), canvas);
    this.viewer = new Viewer(part("viewer", HTMLCanvasElement), surface, new Surface(body.faces, body.restVertices));
    this.listen();
  }

  /** Opens a source; the last one requested wins. */
  async open(name: string, open: () => Promise<Source>): Promise<void> {
    const turn = ++this.opening;
    notice.hint("");
    if (name === "camera") notice.wait("Waiting for the camera", "Answer the browser's question to continue.");
    let source: Source;
    try {
      source = await open();
    } catch (error) {
      if (turn === this.opening) this.refused(name, error);
      return;
    }
    if (turn !== this.opening) return source.stop();
    this.close();
    this.source = source;
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-source]")) {
      button.setAttribute("aria-pressed", String(button.dataset["source"] === name));
    }
    stats.clear();
    this.stage.mirrored = source.kind === "video" && source.live;
    await this.estimator.resetStream();
    notice.hide();
    if (source.kind === "image") await this.still(source.image);
    else this.play(source.video, source.live);
  }

  private play(video: HTMLVideoElement, live: boolean): void {
    const gapMs = this.estimator.info.manifest.pipeline.max_gap_ms + 1;
    this.player = new Player(
      video,
      live,
      gapMs,
      async (frame, timestampMs) => {
        const result = await this.estimator.detectForVideo(frame, timestampMs);
        const current = this.source?.kind === "video" && this.source.video === video;
        if (current) this.show(frame, result);
        else frame.close(); // another source has been opened in the meantime
      },
      failed,
    );
  }

  private async still(image: ImageBitmap): Promise<void> {
    try {
      const frame = await createImageBitmap(image); // the stage closes it; the source closes its own
      this.show(frame, await this.estimator.detect(frame));
    } catch (error) {
      failed(error);
    }
  }

  private show(frame: ImageBitmap, result: EstimatorResult): void {
    const start = performance.now();
    this.stage.show(frame, result);
    this.viewer.show(result.person);
    stats.add({ ...result.timings, drawMs: performance.now() - start });
    this.say(document.hidden ? "paused" : result.state);
    part("body-state", HTMLElement).textContent = result.person ? "drag to turn" : "rest pose: nobody found";
    window.dispatchEvent(new CustomEvent("coevoer-result", { detail: result }));
  }

  private say(state: EstimatorResult["state"] | "paused"): void {
    this.state.dataset["state"] = state === "image" ? "tracking" : state;
    this.state.textContent = state === "image" ? "one image" : state;
  }

  /** Handles a source that did not open: the previous source goes on, or else the sample clip starts. */
  private refused(name: string, error: unknown): void {
    if (!(error instanceof SourceError)) return failed(error);
    notice.hide();
    notice.hint(error.message);
    if (this.source || name === "sample") return;
    void this.open("sample", () => openClip(SAMPLE, "The sample clip")).then(() => notice.hint(error.message));
  }

  private close(): void {
    this.player?.stop();
    this.player = null;
    this.source?.stop();
    this.source = null;
  }

  private listen(): void {
    const file = part("file", HTMLInputElement);
    const openers: Readonly<Record<string, () => void>> = {
      sample: () => void this.open("sample", () => openClip(SAMPLE, "The sample clip")),
      camera: () => void this.open("camera", openCamera),
      file: () => file.click(),
    };
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-source]")) {
      button.onclick = openers[button.dataset["source"] ?? ""] ?? null;
      button.disabled = false;
    }
    const take = (chosen: File | null | undefined): void => {
      if (chosen) void this.open("file", () => openFile(chosen));
    };
    file.onchange = () => (take(file.files?.[0]), (file.value = ""));
    const stage = part("stage", HTMLDivElement);
    stage.ondragover = (event) => (event.preventDefault(), stage.classList.add("dropping"));
    stage.ondragleave = () => stage.classList.remove("dropping");
    stage.ondrop = (event) => {
      event.preventDefault();
      stage.classList.remove("dropping");
      take(event.dataTransfer?.files[0]);
    };
    const boxes = [...part("layers", HTMLFieldSetElement).querySelectorAll("input")];
    for (const box of boxes) {
      box.onchange = () => {
        this.stage.layers = { ...this.stage.layers, [box.name]: box.checked };
        this.stage.redraw();
      };
    }
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.source?.kind === "video") this.say("paused");
    });
  }
}

/** Shows an error after which the page cannot go on. */
function failed(error: unknown): void {
  const state = part("state", HTMLSpanElement);
  state.dataset["state"] = state.textContent = "error";
  const titles: Partial<Record<string, string>> = {
    missing: "The model is missing",
    digest: "The model's files are damaged",
    bundle: "This bundle cannot be used",
    network: "The download failed",
    platform: "This browser cannot run the model",
  };
  const code = error instanceof CoEvoerError ? error.code : "";
  const text = error instanceof Error ? error.message : String(error);
  notice.error(titles[code] ?? "The model stopped", text, "Try again", () => location.reload());
  console.error(error);
}

function describe(info: Info): void {
  const { manifest, provider, threads, selfCheck, choice, artifactBytes, body } = info;
  const size = `${megabytes(artifactBytes)} MB`;
  const how = provider === "webgpu" ? "WebGPU" : `WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`;
  const chips = [manifest.model, manifest.precision.toUpperCase(), size, how, ...(selfCheck.passed ? [] : ["self-check FAILED"])];
  part("chips", HTMLUListElement).replaceChildren(
    ...chips.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
  part("untrained", HTMLParagraphElement).hidden = manifest.trained;
  part("size", HTMLElement).textContent = megabytes(artifactBytes);
  const exact = `${selfCheck.ratio.toFixed(2)} times the quantized program's error (limit ${selfCheck.limit})`;
  fillList(part("about", HTMLDListElement), [
    ["Model", `${manifest.model}, ${(manifest.parameters / 1e6).toFixed(1)} M parameters`],
    ["Trained", manifest.trained ? "yes" : "no: random weights"],
    ["Precision", manifest.precision],
    ["Runs on", choice],
    ["Threads", crossOriginIsolated ? String(threads) : "1: the page is not cross-origin isolated"],
    ["Self-check", `${selfCheck.passed ? "passed" : "FAILED"}: ${exact}, ${selfCheck.images} images`],
    ["Body", `${body.name}, ${body.licence}`],
    ["Licence", manifest.licence],
  ]);
}

async function start(): Promise<void> {
  notice.wait("Loading", "Preparing the page.");
  part("offline", HTMLSpanElement).textContent = await prepareOffline();
  const estimator = await Estimator.createFromOptions({
    bundle: BUNDLE,
    runtime: __RUNTIME_FOLDER__,
    delegate: (query.get("delegate") as "auto" | null) ?? "auto",
    allowSoftwareGpu: query.has("softwaregpu"),
    ...(query.has("threads") ? { threads: Number(query.get("threads")) } : {}),
    onProgress: (progress) => notice.progress(progress),
  });
  describe(estimator.info);
  const app = new App(estimator);
  await app.open("sample", () => openClip(SAMPLE, "The sample clip"));
}

start().catch(failed);
