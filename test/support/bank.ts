/** A bank without idempotency keys: a transfer that is asked for twice is made twice. It can be asked for transfers by their memo. */
export interface Transfer {
  readonly id: string;
  readonly memo: string;
}

export class Bank {
  /** What is done and not taken back. */
  readonly transfers: Transfer[] = [];
  readonly refunded: Transfer[] = [];
  #count = 0;

  transfer(memo: string): Transfer {
    const transfer = { id: `t-${++this.#count}`, memo };
    this.transfers.push(transfer);
    return transfer;
  }

  find(memo: string): Transfer | undefined {
    return this.transfers.find((it) => it.memo === memo);
  }

  /** @throws for one that was never made, or was taken back already: a bank that refunds it twice has lost money */
  refund(id: string): void {
    const index = this.transfers.findIndex((it) => it.id === id);
    if (index < 0) throw new Error(`There is no transfer ${id}.`);
    this.refunded.push(...this.transfers.splice(index, 1));
  }
}
