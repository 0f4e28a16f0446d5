/** What is remembered of the viewer: by the browser, or, where it is not allowed to, for as long as the page is open. */

export type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** `find` throws in a browser that forbids storage, and writing where it is full. */
export function keptIn(find: () => Storage): Kept {
  const here = new Map<string, string>();
  const tried = <Result>(use: (storage: Storage) => Result): Result | null => {
    try {
      return use(find());
    } catch {
      return null;
    }
  };
  return {
    getItem: (key) => here.get(key) ?? tried((storage) => storage.getItem(key)),
    setItem(key, value) {
      // Here only if not there: another tab may change it there.
      if (tried((storage) => storage.setItem(key, value)) === null) here.set(key, value);
      else here.delete(key);
    },
    removeItem(key) {
      here.delete(key);
      tried((storage) => storage.removeItem(key));
    },
  };
}

export const keptByBrowser = keptIn(() => localStorage);
export const keptByTab = keptIn(() => sessionStorage);
