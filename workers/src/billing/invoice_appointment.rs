//! Invoices one appointment of a run, and ends the run. The invoice and the note that it is dealt with are one transaction:
//! run twice, the second finds it dealt with.

use permanence_domain::{
    billing::{
        end_run, invoice_item,
        jobs::{EndInvoiceRun, InvoiceAppointment},
        refusal, refuse_item,
    },
    error::Result,
};

use crate::{
    perform::{Outcome, Perform, Run},
    services::Services,
};

impl Perform for InvoiceAppointment {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        match invoice_item(&mut tx, self.run_id, self.appointment_id).await {
            Ok(_) => tx.commit().await?,
            Err(error) => {
                tx.rollback().await?;
                // What passes is tried again; what is so is noted, and trying again would change nothing.
                let Some(refusal) = refusal(&error) else { return Err(error) };
                let mut tx = run.begin(services).await?;
                refuse_item(&mut tx, self.run_id, self.appointment_id, refusal).await?;
                tx.commit().await?;
            }
        }
        Ok(Outcome::Done(None))
    }
}

impl Perform for EndInvoiceRun {
    async fn perform(self, run: Run, services: &Services) -> Result<Outcome> {
        let mut tx = run.begin(services).await?;
        end_run(&mut tx, self.run_id).await?;
        tx.commit().await?;
        Ok(Outcome::Done(None))
    }
}
