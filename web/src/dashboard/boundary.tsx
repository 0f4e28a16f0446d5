/** What keeps an error of one part of the page from the others. */

import { Component, type ComponentChildren } from "preact";
import { asSentence } from "./format";

type BoundaryProps = {
  /** Whenever this is another, its part is tried again. */
  until?: unknown;
  /** What stands there instead, with what went wrong in a sentence. */
  otherwise: (why: string, retry: () => void) => ComponentChildren;
  children: ComponentChildren;
};

export class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state = { error: null as unknown };

  static override getDerivedStateFromError(error: unknown) {
    return { error: error ?? "unknown" };
  }

  override componentDidCatch(error: unknown) {
    console.error(error);
  }

  override componentDidUpdate(before: BoundaryProps) {
    if (this.state.error !== null && before.until !== this.props.until) this.retry();
  }

  retry = (): void => this.setState({ error: null });

  override render({ otherwise, children }: BoundaryProps) {
    const { error } = this.state;
    return error === null ? children : otherwise(sentenceOf(error), this.retry);
  }
}

export const sentenceOf = (error: unknown): string =>
  asSentence(error instanceof Error ? error.message : String(error));
