import { describe, expectTypeOf, test } from "vitest";
import type { FollowUp } from "../../src/shared/queue/reasons.ts";
import type { DataOf, StepName } from "../../src/shared/queue/step-data.ts";
import type { NewTask } from "../../src/shared/queue/tasks.ts";
import type { EventName } from "../../src/shared/vendors/webhook.ts";

describe("the compiler refuses a follow-up", () => {
  test("of a step that there is not", () => {
    expectTypeOf<{ step: "order.place"; data: { order_id: 1 } }>().toExtend<FollowUp>();
    expectTypeOf<{ step: "order.plaice"; data: { order_id: 1 } }>().not.toExtend<FollowUp>();
    expectTypeOf<{ step: string; data: { order_id: 1 } }>().not.toExtend<FollowUp>();
  });

  test("with the data of another step", () => {
    expectTypeOf<{ step: "order.place"; data: { renewal_id: 1 } }>().not.toExtend<FollowUp>();
    expectTypeOf<{ step: "renewal.advance"; data: { renewal_id: 1 } }>().toExtend<FollowUp>();
  });

  test("without a field that its step needs, or with one of another name", () => {
    expectTypeOf<{ step: "order.place"; data: { id: 1 } }>().not.toExtend<FollowUp>();
    expectTypeOf<{ step: "customer.link"; data: { system: "crm"; key: "x" } }>().not.toExtend<FollowUp>();
    expectTypeOf<keyof DataOf<"order.place">>().toEqualTypeOf<"order_id">();
  });

  test("with a value that its step does not take", () => {
    type Told<Fact> = { step: "order.tell_crm"; data: { order_id: 1; fact: Fact } };
    expectTypeOf<Told<"order_shipped">>().toExtend<FollowUp>();
    expectTypeOf<Told<"order_shiped">>().not.toExtend<FollowUp>();
    expectTypeOf<Told<string>>().not.toExtend<FollowUp>();
    expectTypeOf<{ step: "order.place"; data: { order_id: "1" } }>().not.toExtend<FollowUp>();
    expectTypeOf<{ step: "order.cancel"; data: { order_id: 1; cause: "bored" } }>().not.toExtend<FollowUp>();
  });
});

describe("the compiler refuses a task", () => {
  type Task<Step, Data> = { step: Step; data: Data; key: "k"; vendor: "internal" };

  test("of a step of ours whose data is wrong", () => {
    expectTypeOf<Task<"order.place", { order_id: 1 }>>().toExtend<NewTask>();
    expectTypeOf<Task<"order.place", { order: 1 }>>().not.toExtend<NewTask>();
    expectTypeOf<Task<string, { order_id: 1 }>>().not.toExtend<NewTask>();
  });

  test("but for an event's, which comes as the vendor sent it", () => {
    expectTypeOf<Task<"stripe.invoice.paid", { object_id: "in_1" }>>().toExtend<NewTask>();
    expectTypeOf<Task<`standard.${string}.sold`, { at: "noon" }>>().toExtend<NewTask>();
  });
});

test("no step of ours has a name that an event could have: a vendor could forge a follow-up by it", () => {
  expectTypeOf<Extract<StepName, EventName>>().toBeNever();
  expectTypeOf<"stripe.invoice.paid">().toExtend<EventName>();
});
