// What can be done to the queue as a whole: the buttons of the controls, and of the queue's menu.

/** Each with a label, `n` jobs that it is about, what to ask, and `work`; `sure`: it always asks, `near`: it is one click away. */
function queueActions(totals, run, batch_id) {
  const { pending, retryable, finished, total, unfinished, own } = totals;
  const one = (name, verb, what, n, text, { args = {}, ...more } = {}) => ({
    name, n, text, label: `${verb} ${what}${n ? ` (${count(n)})` : ""}`, yes: `${verb} ${many(n, "job")}`, no: "Keep them", work: () => run(name, args), ...more,
  });
  return [
    ...(batch_id && totals.batch ? [one("cancel_batch", "Cancel", "this batch", totals.batch, `Cancel ${many(totals.batch, "unfinished job")} of this batch?`, { red: true, near: true, args: { batch_id } })] : []),
    one("cancel_pending", "Cancel", "waiting", pending, `Cancel ${many(pending, "waiting job")}? What runs goes on.`, { red: true, near: !batch_id }),
    one("retry_failed", "Retry", "failed", retryable, `Retry ${many(retryable, "failed job")}?`, { danger: false, near: !batch_id }),
    one("prune", "Prune", "finished", finished, `Delete ${many(finished, "finished job")} from the queue? Pictures and errors stay.`),
    one("clear", "Clear", "", total, `Clear deletes ${many(total, "job")}${own ? " of yours" : ""}${unfinished ? `, also the ${count(unfinished)} not finished` : ""}.`,
      { label: "Clear …", no: "Keep", red: true, sure: true, near: !batch_id, args: { total } }),
  ];
}
