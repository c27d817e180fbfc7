/** The notice over the stage while there is no picture: loading, waiting, or an error with what to do. */

import type { Progress } from "../coevoer/index.js";
import { megabytes, part } from "./page.js";

const STAGES: Readonly<Record<Progress["stage"], string>> = {
  download: "Downloading the model and the runtime",
  start: "Starting the runtime",
  "self-check": "Checking the runtime against golden images",
  ready: "Ready",
};

export class Notice {
  private readonly box = part("notice", HTMLDivElement);
  private readonly title = part("notice-title", HTMLHeadingElement);
  private readonly text = part("notice-text", HTMLParagraphElement);
  private readonly bar = part("notice-progress", HTMLProgressElement);
  private readonly button = part("notice-button", HTMLButtonElement);
  private readonly hintBox = part("hint", HTMLParagraphElement);

  hide(): void {
    this.box.hidden = true;
  }

  /** Shows loading: a bar that fills with bytes, or one that just moves while there is nothing to count. */
  progress({ stage, loadedBytes, totalBytes }: Progress): void {
    const bytes = `${megabytes(loadedBytes)} of ${megabytes(totalBytes)} MB`;
    this.show("wait", STAGES[stage], stage === "download" ? bytes : "This takes a few seconds.");
    if (stage === "download" && totalBytes) this.bar.value = loadedBytes / totalBytes;
    else this.bar.removeAttribute("value");
  }

  wait(title: string, text: string): void {
    this.show("wait", title, text);
    this.bar.removeAttribute("value");
  }

  error(title: string, text: string, action: string, act: () => void): void {
    this.show("error", title, text);
    this.button.textContent = action;
    this.button.hidden = false;
    this.button.onclick = act;
  }

  /** Shows a line below the picture; an empty text removes it. */
  hint(text: string): void {
    this.hintBox.textContent = text;
    this.hintBox.hidden = !text;
  }

  private show(kind: "wait" | "error", title: string, text: string): void {
    this.box.hidden = false;
    this.box.dataset["kind"] = kind;
    this.title.textContent = title;
    this.text.textContent = text;
    this.bar.hidden = kind === "error";
    this.button.hidden = true;
  }
}
