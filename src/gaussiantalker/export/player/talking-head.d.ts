/** Degrees that are added to the head's own movements: positive to the picture's left, downwards and clockwise. */
export interface Angles {
  yaw?: number;
  pitch?: number;
  roll?: number;
}

/** What went wrong, as a sentence for people and a word for programs. */
export interface Trouble {
  code: "avatar" | "webgl" | "autoplay" | "microphone" | "sound" | "hearing" | "server" | "worker" | "defect";
  message: string;
}

/** What an avatar's file tells of it. */
export interface Facts {
  format: number;
  method: string;
  version: string;
  /** SHA-256 of what its talker has learnt. */
  avatar: string;
  consent: string;
  synthetic: string;
  camera: { focal: number; cx: number; cy: number; width: number; height: number };
  [more: string]: unknown;
}

export interface TalkingHeadEvents extends HTMLElementEventMap {
  "ready": Event;
  "speech-start": Event;
  "speech-end": Event;
}

/** `<talking-head src="me.avatar">`. Its `error` event is a `CustomEvent<Trouble>`. */
export class TalkingHead extends HTMLElement {
  src: string;
  get pose(): "recorded" | "still" | Required<Angles>;
  set pose(value: "recorded" | "still" | Angles | string);
  get blink(): "recorded" | "auto" | number;
  set blink(value: "recorded" | "auto" | number);
  get articulation(): number;
  set articulation(value: number);
  /** "none" (transparent), "own", or what CSS takes for a background. */
  background: string;
  readonly facts: Facts | null;
  readonly speaking: boolean;
  /** True when it was said to its end. Never rejects. */
  speak(sound: AudioBuffer | Blob | URL | string): Promise<boolean>;
  /** Without a stream, the microphone. */
  listen(stream?: MediaStream | null, options?: { play?: boolean }): Promise<boolean>;
  /** What a server tells over a socket of coefficients: it hears, this page draws. */
  follow(url: URL | string): Promise<boolean>;
  interrupt(): void;
  addEventListener<K extends keyof TalkingHeadEvents>(
    type: K, listener: (this: TalkingHead, event: TalkingHeadEvents[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "talking-head": TalkingHead;
  }
}
