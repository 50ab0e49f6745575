import type { Fetch } from "../call.ts";
import { VendorError } from "../contract.ts";
import type { Pharmacy, PharmacyOrder } from "../pharmacy.ts";
import { makeTokenCache } from "../token.ts";
import { makeGraphql } from "./graphql.ts";
import { DEFAULT_PAGE_SIZE, readAll, readOpenPage, readPage } from "./paging.ts";
import {
  CANCEL_ORDER,
  CREATE_ORDER,
  GET_ORDER,
  LIST_ORDERS,
  LIST_PRESCRIPTIONS,
  LIST_TREATMENTS,
  type OrderNode,
  type PrescriptionNode,
  toAddress,
  toOrder,
  toPrescription,
} from "./wire.ts";

interface PhotonOptions {
  /** The Clinical API's GraphQL endpoint, e.g. `https://api.photon.health/graphql`. */
  apiUrl: string;
  /** e.g. `https://auth.photon.health`, without a slash at the end. */
  authUrl: string;
  clientId: string;
  clientSecret: string;
  /** The pharmacy that ships. Without one Photon asks the patient to choose (order state ROUTING). */
  pharmacyId?: string | undefined;
  fetch: Fetch;
  now: () => Date;
}

/** Rows of a page where a whole list is read; Photon may give fewer. */
const SWEEP_PAGE_SIZE = 100;

/**
 * The pharmacy on Photon Health's Clinical API (types: @photonhealth/sdk 1.3.4). Photon has no idempotency key
 * and does not keep `externalId` unique, so {@link Pharmacy.createOrder} twice makes two orders.
 */
export function makePhotonClient(options: PhotonOptions): Pharmacy {
  const { apiUrl, fetch, pharmacyId } = options;
  // Machine tokens live for 24 h.
  const tokens = makeTokenCache({ ...options, vendor: "pharmacy" }, `${options.authUrl}/oauth/token`, {
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      client_id: options.clientId,
      client_secret: options.clientSecret,
      audience: new URL(apiUrl).origin,
    }),
  });
  const graphql = makeGraphql({ apiUrl, fetch, tokens });

  async function getOrder(orderId: string): Promise<PharmacyOrder | null> {
    try {
      const { order } = await graphql(GET_ORDER, { id: orderId });
      return order && toOrder(order);
    } catch (error) {
      if (error instanceof VendorError && error.details.code === "NOT_FOUND") return null;
      throw error;
    }
  }

  async function listOrders(query: { first: number; filter?: object }, after: string | null) {
    return (await graphql(LIST_ORDERS, { ...query, after: after ?? undefined })).orders;
  }

  return {
    getOrder,

    async createOrder({ patientId, prescriptionId, reference, address }) {
      const { createOrder } = await graphql(CREATE_ORDER, {
        patientId,
        fills: [{ prescriptionId }],
        address: toAddress(address),
        externalId: reference,
        pharmacyId,
      });
      return toOrder(createOrder);
    },

    async findOrders({ patientId, reference }) {
      // No filter by externalId exists: every order of the patient is read and matched here.
      const query = { first: DEFAULT_PAGE_SIZE, filter: { patientId } };
      const all = await readAll("list orders", (after) => listOrders(query, after));
      return all.filter((order) => order.externalId === reference).sort(byAge).map(toOrder);
    },

    async cancelOrder(orderId) {
      try {
        return toOrder((await graphql(CANCEL_ORDER, { id: orderId })).cancelOrder);
      } catch (error) {
        if (!(error instanceof VendorError) || error.failure !== "refused") throw error;
        // Refused because it is canceled already, or because it is too late? Only the order knows.
        const order = await getOrder(orderId);
        if (order?.state === "canceled") return order;
        throw error;
      }
    },

    async findPrescription({ patientId, reference }) {
      const query = { first: DEFAULT_PAGE_SIZE, filter: { patientId } };
      const all = await readAll(
        "list prescriptions",
        async (after) =>
          (await graphql(LIST_PRESCRIPTIONS, { ...query, after: after ?? undefined })).prescriptions,
      );
      const [found] = all.filter((prescription) => prescription.externalId === reference).sort(byUse);
      return found ? toPrescription(found) : null;
    },

    async listOrders(cursor, only) {
      const query = { first: SWEEP_PAGE_SIZE };
      const page = only === "open"
        ? await readOpenPage(cursor, (state, after) => listOrders({ ...query, filter: { state } }, after))
        : await readPage("list orders", cursor, (after) => listOrders(query, after));
      return { ...page, entries: page.entries.map(toOrder) };
    },

    async listTreatments(cursor) {
      return await readPage(
        "list treatments",
        cursor,
        async (after) =>
          (await graphql(LIST_TREATMENTS, { first: SWEEP_PAGE_SIZE, after: after ?? undefined }))
            .prescriptions,
      );
    },
  };
}

/** Oldest first; equal times by id, so that the order does not depend on the vendor's. */
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
