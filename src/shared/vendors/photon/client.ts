import { z } from "zod";
import type { Fetch } from "../call.ts";
import { type Json, type Pharmacy, type PharmacyOrder, VendorError } from "../contract.ts";
import { makeGraphql } from "./graphql.ts";
import { readOpenPage } from "./open-orders.ts";
import { DEFAULT_PAGE_SIZE, readAll, readPage } from "./paging.ts";
import { makeTokenCache } from "./token.ts";
import {
  CANCEL_ORDER,
  CREATE_ORDER,
  GET_ORDER,
  LIST_ORDERS,
  LIST_PRESCRIPTIONS,
  LIST_TREATMENTS,
  type OrderNode,
  orderNode,
  type PrescriptionNode,
  prescriptionNode,
  toAddress,
  toOrder,
  toPrescription,
  toTreatment,
  treatmentNode,
} from "./wire.ts";

export interface PhotonClientDeps {
  /** The Clinical API's GraphQL endpoint, e.g. `https://api.photon.health/graphql`. */
  apiUrl: string;
  /** e.g. `https://auth.photon.health`. */
  authUrl: string;
  clientId: string;
  clientSecret: string;
  /** Default: the origin of `apiUrl`, as Photon has it. */
  audience?: string;
  /** The pharmacy that ships. Without one Photon asks the patient to choose (order state ROUTING). */
  pharmacyId?: string;
  fetch: Fetch;
  now: () => Date;
}

/** Rows asked for at once where a whole list is read; Photon may give fewer. */
const SWEEP_PAGE_SIZE = 100;

/**
 * The pharmacy on Photon Health's Clinical API (types: @photonhealth/sdk 1.3.4). Photon has no idempotency key
 * and does not keep `externalId` unique, so {@link Pharmacy.createOrder} twice makes two orders.
 */
export function makePhotonClient(deps: PhotonClientDeps): Pharmacy {
  const { apiUrl, fetch, audience = new URL(apiUrl).origin, pharmacyId } = deps;
  const graphql = makeGraphql({ apiUrl, fetch, tokens: makeTokenCache({ ...deps, audience }) });

  async function getOrder(orderId: string): Promise<PharmacyOrder | null> {
    try {
      const schema = z.object({ order: orderNode.nullable() });
      const { order } = await graphql("get order", GET_ORDER, { id: orderId }, schema);
      return order && toOrder(order);
    } catch (error) {
      if (error instanceof VendorError && error.details.code === "NOT_FOUND") return null;
      throw error;
    }
  }

  async function orders(query: { [name: string]: Json }, after: string | null) {
    const schema = z.object({ orders: z.array(orderNode.nullable()) });
    return (await graphql("list orders", LIST_ORDERS, { ...query, ...cursor(after) }, schema)).orders;
  }

  return {
    getOrder,

    async createOrder({ patientId, prescriptionId, reference, address }) {
      const { createOrder } = await graphql("create order", CREATE_ORDER, {
        patientId,
        fills: [{ prescriptionId }],
        address: toAddress(address),
        externalId: reference,
        ...(pharmacyId === undefined ? {} : { pharmacyId }),
      }, z.object({ createOrder: orderNode }));
      return toOrder(createOrder);
    },

    async findOrders({ patientId, reference }) {
      // No filter by externalId exists: every order of the patient is read and matched here.
      const all = await readAll(
        "list orders",
        (after) => orders({ first: DEFAULT_PAGE_SIZE, filter: { patientId } }, after),
      );
      return all.filter((order) => order.externalId === reference).sort(byAge).map(toOrder);
    },

    async cancelOrder(orderId) {
      try {
        const schema = z.object({ cancelOrder: orderNode });
        return toOrder((await graphql("cancel order", CANCEL_ORDER, { id: orderId }, schema)).cancelOrder);
      } catch (error) {
        if (!(error instanceof VendorError) || error.failure !== "refused") throw error;
        // Refused because it is canceled already, or because it is too late? Only the order knows.
        const order = await getOrder(orderId);
        if (order?.state === "canceled") return order;
        throw error;
      }
    },

    async findPrescription({ patientId, reference }) {
      const all = await readAll("list prescriptions", async (after) => {
        const variables = { first: DEFAULT_PAGE_SIZE, filter: { patientId }, ...cursor(after) };
        const schema = z.object({ prescriptions: z.array(prescriptionNode.nullable()) });
        return (await graphql("list prescriptions", LIST_PRESCRIPTIONS, variables, schema)).prescriptions;
      });
      const matching = all.filter((prescription) => prescription.externalId === reference).sort(byUse);
      return matching[0] ? toPrescription(matching[0]) : null;
    },

    async listOrders(from, only) {
      const query = { first: SWEEP_PAGE_SIZE };
      const page = only === "open"
        ? await readOpenPage(from, (state, after) => orders({ ...query, filter: { state } }, after))
        : await readPage("list orders", from, (after) => orders(query, after));
      return { ...page, entries: page.entries.map(toOrder) };
    },

    async listTreatments(from) {
      const page = await readPage("list treatments", from, async (after) => {
        const variables = { first: SWEEP_PAGE_SIZE, ...cursor(after) };
        const schema = z.object({ prescriptions: z.array(treatmentNode.nullable()) });
        return (await graphql("list treatments", LIST_TREATMENTS, variables, schema)).prescriptions;
      });
      return { ...page, entries: page.entries.map(toTreatment) };
    },
  };
}

function cursor(after: string | null): { after?: string } {
  return after === null ? {} : { after };
}

/** Oldest first; equal times by id, so that the order of a list never depends on the vendor's mood. */
function byAge(a: OrderNode, b: OrderNode): number {
  return time(a.createdAt) - time(b.createdAt) || (a.id < b.id ? -1 : 1);
}

/** Active ones first, then the newest. */
function byUse(a: PrescriptionNode, b: PrescriptionNode): number {
  return Number(b.state === "ACTIVE") - Number(a.state === "ACTIVE") || time(b.writtenAt) - time(a.writtenAt);
}

function time(iso: string | null | undefined): number {
  return Date.parse(iso ?? "") || 0;
}
