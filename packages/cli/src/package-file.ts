/**
 * Place of a file that comes with this package.
 *
 * @param path - From the folder of the package. This module and whatever it is bundled into lie one folder below that.
 */
export function packageFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}
