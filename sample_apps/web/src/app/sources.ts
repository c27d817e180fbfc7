/** Opens the sources of pictures: the sample clip, a camera, a file. One that is denied or missing is a clear error. */

/** A playing video, or a still image. */
export type Source =
  | { readonly kind: "video"; readonly video: HTMLVideoElement; readonly live: boolean; stop(): void }
  | { readonly kind: "image"; readonly image: ImageBitmap; stop(): void };

/** A source that cannot be opened; `message` says what to do. */
export class SourceError extends Error {}

const CAMERA_FAULTS: Readonly<Record<string, string>> = {
  NotAllowedError: "The camera was denied. Allow it in the address bar or the system's settings, then press Webcam again.",
  NotFoundError: "No camera was found. Connect one and press Webcam again, or open a file.",
  NotReadableError: "The camera is in use or does not answer. Close other programs that use it, then press Webcam again.",
  OverconstrainedError: "The camera has no suitable format. Open a file instead.",
};

/** Opens the camera that faces the user. */
export async function openCamera(): Promise<Source> {
  if (!navigator.mediaDevices) throw new SourceError("Cameras need https or localhost; open the page that way.");
  let stream: MediaStream;
  try {
    const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
    stream = await navigator.mediaDevices.getUserMedia({ video: { ...size, facingMode: "user" }, audio: false });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new SourceError(CAMERA_FAULTS[name] ?? `The camera did not start (${error instanceof Error ? error.message : name}).`);
  }
  const stop = (): void => stream.getTracks().forEach((track) => track.stop());
  try {
    return await play((video) => (video.srcObject = stream), true, stop);
  } catch (error) {
    stop();
    throw error;
  }
}

/** Opens a clip by its address and plays it in a loop. */
export function openClip(url: string, name: string): Promise<Source> {
  return play((video) => {
    video.src = url;
    video.loop = true;
  }, false, () => undefined, name);
}

/** Opens an image or a video from the user's disk. */
export async function openFile(file: File): Promise<Source> {
  if (file.type.startsWith("video/")) {
    const url = URL.createObjectURL(file);
    const source = await openClip(url, file.name).catch((error: unknown) => {
      URL.revokeObjectURL(url);
      throw error;
    });
    return { ...source, stop: () => (source.stop(), URL.revokeObjectURL(url)) };
  }
  try {
    const image = await createImageBitmap(file);
    return { kind: "image", image, stop: () => image.close() };
  } catch {
    const what = `${file.name} is not an image or video that this browser can read`;
    throw new SourceError(`${what}. Give a JPEG, PNG, WebP, MP4 or WebM file.`);
  }
}

async function play(
  attach: (video: HTMLVideoElement) => void,
  live: boolean,
  stop: () => void,
  name = "The camera",
): Promise<Source> {
  if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) {
    throw new SourceError(
      "This browser cannot report single frames of a video; " +
        "use Chrome 83, Safari 15.4, Firefox 132 or newer, or open an image.",
    );
  }
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true });
  attach(video);
  try {
    await video.play();
  } catch {
    const fault = "this browser cannot decode it; give an H.264 or VP9 video";
    throw new SourceError(`${name} does not play: ${video.error ? fault : "the browser did not start it; try again"}.`);
  }
  return {
    kind: "video",
    video,
    live,
    stop() {
      video.pause();
      video.removeAttribute("src");
      video.srcObject = null;
      stop();
    },
  };
}
