/** A name that somebody gave, in one line: in full to who points at it, and turning nothing around it. */

import { named, withoutTurns } from "./direction";

export const Name = ({ of }: { of: string }) => (
  <span class="clipped" dir="auto" title={named(of)}>
    {withoutTurns(of)}
  </span>
);
