/** Things that arrive in their own time, and a wait for the one a test means. */

interface Waiter<T> {
  readonly wants: (item: T) => boolean;
  readonly resolve: (item: T) => void;
}

export class Inbox<T> {
  readonly items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();

  put(item: T): void {
    this.items.push(item);
    for (const waiter of this.#waiters) {
      if (!waiter.wants(item)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(item);
    }
  }

  /** The first that fits, whether it is here already or still to come. @throws Error after `withinMs` */
  async find(wants: (item: T) => boolean, withinMs = 10_000): Promise<T> {
    const here = this.items.find(wants);
    if (here !== undefined) return here;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter = { wants, resolve };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => {
      this.#waiters.delete(waiter);
      reject(new Error(`Nothing that fits within ${withinMs} ms among: ${JSON.stringify(this.items).slice(0, 3000)}`));
    }, withinMs);
    return promise.finally(() => clearTimeout(timer));
  }

  /** The first that arrives from now on and fits. */
  next(wants: (item: T) => boolean = () => true, withinMs = 10_000): Promise<T> {
    const before = new Set(this.items);
    return this.find((item) => !before.has(item) && wants(item), withinMs);
  }
}
