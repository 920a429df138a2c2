//! The chart of accounts: which account and journal each movement of money is written under. Owns the numbers; writes no
//! entry. Every practice has the standard one so far; a chart of its own would be read where [`Chart::standard`] is.

use serde::Serialize;

/// An account or a journal: its number and what it is called.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Account {
    /// Number of an account, code of a journal.
    pub number: &'static str,
    /// What it is called.
    pub title: &'static str,
}

/// The accounts by use. Numbers are those of the plan comptable général (règlement ANC 2014-03, art. 932-1 f.), whose
/// first digits are binding and whose subdivisions are free. `sold_…` goes by the category of VAT, `paid_…` and
/// `journal_…` by the method of a payment.
#[derive(Debug, Clone, Serialize)]
pub struct Chart {
    /// The journal of sales.
    pub sales: Account,
    /// Customers, each under an auxiliary account.
    pub customers: Account,
    /// Exempt care.
    pub sold_care: Account,
    /// What a seller below the threshold supplies.
    pub sold_franchise: Account,
    /// What VAT is due on: products, for the most part.
    pub sold_standard: Account,
    /// VAT collected; the rate in hundredths of a percent follows the number.
    pub vat: Account,
    /// By card: the bank takes it in.
    pub paid_card: Account,
    /// By transfer.
    pub paid_transfer: Account,
    /// By direct debit.
    pub paid_direct_debit: Account,
    /// By cheque, which is yet to be cashed.
    pub paid_cheque: Account,
    /// In cash.
    pub paid_cash: Account,
    /// In another way, which somebody has to look at.
    pub paid_other: Account,
    /// The journal of cards.
    pub journal_card: Account,
    /// The journal of transfers.
    pub journal_transfer: Account,
    /// The journal of direct debits.
    pub journal_direct_debit: Account,
    /// The journal of cheques.
    pub journal_cheque: Account,
    /// The journal of cash.
    pub journal_cash: Account,
    /// The journal of what is paid in other ways.
    pub journal_other: Account,
}

impl Chart {
    /// The standard chart.
    pub const fn standard() -> Self {
        const SERVICES: Account = account("706", "Prestations de services");
        const BANK: Account = account("512", "Banques");
        const BANK_JOURNAL: Account = account("BQ", "Banque");
        Self {
            sales: account("VE", "Ventes"),
            customers: account("411", "Clients"),
            sold_care: SERVICES,
            sold_franchise: SERVICES,
            sold_standard: account("707", "Ventes de marchandises"),
            vat: account("44571", "TVA collectée"),
            paid_card: BANK,
            paid_transfer: BANK,
            paid_direct_debit: BANK,
            paid_cheque: account("5112", "Chèques à encaisser"),
            paid_cash: account("530", "Caisse"),
            paid_other: account("471", "Compte d'attente"),
            journal_card: BANK_JOURNAL,
            journal_transfer: BANK_JOURNAL,
            journal_direct_debit: BANK_JOURNAL,
            journal_cheque: BANK_JOURNAL,
            journal_cash: account("CA", "Caisse"),
            journal_other: account("OD", "Opérations diverses"),
        }
    }
}

const fn account(number: &'static str, title: &'static str) -> Account {
    Account { number, title }
}
