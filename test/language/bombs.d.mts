/** Name → text of the one file. */
export declare const BOMBS: Readonly<Record<string, () => string>>;
